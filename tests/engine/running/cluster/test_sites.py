"""Sites by their names, and the threads of their workers."""

import pytest
from litemedsam.engine.running.cluster.jobs import Jobs
from litemedsam.engine.running.cluster.local_workers import LocalWorkers
from litemedsam.engine.running.cluster.site import Running
from litemedsam.engine.running.cluster.sites import site_named
from litemedsam.engine.settings import EngineSettings

from litemedsam.errors import LiteMedSamError

pytest.importorskip("dask_jobqueue")

FILE = "system: slurm\njobs: 2\ncores: 1\nmemory: 2GB\nwalltime: '01:00:00'\n"


def test_sites_by_their_names(tmp_path):
    for address in ("tcp://10.0.0.1:8786", "tls://node-7.lab.org:1", "tcp://[fe80::1%eth0]:8786"):
        assert site_named(address) == Running(address)
    assert site_named("local:3") == LocalWorkers(3)
    path = tmp_path / "lab.YAML"
    path.write_text(FILE)
    assert site_named(str(path)) == Jobs("slurm", 2, 1, {"memory": "2GB", "walltime": "01:00:00"}, str(path))


@pytest.mark.parametrize("text", ["", "local:0", "local:", "local:-1", "tcp://", "tcp://host", "http://a:1", "slurm"])
def test_other_names_are_refused(text):
    with pytest.raises(LiteMedSamError, match=r"expected tcp://HOST:PORT, tls://HOST:PORT, local:N or FILE\.yaml"):
        site_named(text)


def test_threads_of_a_worker():
    settings = EngineSettings()
    assert Running("tcp://a:1").settings(settings).threads is None
    assert Jobs("slurm", 2, 8, {}, "").settings(settings).threads == 8
    assert Jobs("slurm", 2, 8, {}, "").settings(EngineSettings(threads=3)).threads == 3
    assert LocalWorkers(2).settings(EngineSettings(threads=3)).threads == 3
    assert LocalWorkers(10**4).settings(settings).threads == 1
