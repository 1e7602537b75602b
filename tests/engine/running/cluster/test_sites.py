"""Names of sites, files for batch systems, and jobs of a stand-in for SLURM."""

import json
import os
import subprocess
import sys

import pytest
from cluster_parts import contents, wait_until, write_cases
from fake_slurm import write_sbatch
from litemedsam.engine.running.cluster.sites import Jobs, LocalWorkers, Running, site_named
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


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("system: slurm", "", "has no key system"),
        ("slurm", "cron", "has no key system, expected one of slurm, pbs"),
        ("jobs: 2", "jobs: many", "jobs is 'many', expected a whole number"),
        ("jobs: 2", "jobs: true", "jobs is True, expected a whole number"),
        ("cores: 1", "", "cores is None"),
        ("memory: 2GB", "memory: 2", "memory is 2, expected a text such as 8GB"),
        ("system", "{", "cannot be read as YAML"),
    ],
)
def test_what_a_file_must_say(tmp_path, before, after, said):
    path = tmp_path / "lab.yaml"
    path.write_text(FILE.replace(before, after))
    with pytest.raises(LiteMedSamError, match=said):
        Jobs.read(path)
    with pytest.raises(LiteMedSamError, match="cannot be read"):
        Jobs.read(tmp_path / "absent.yaml")


def test_threads_of_a_worker():
    settings = EngineSettings()
    assert Running("tcp://a:1").settings(settings).threads is None
    assert Jobs("slurm", 2, 8, {}, "").settings(settings).threads == 8
    assert Jobs("slurm", 2, 8, {}, "").settings(EngineSettings(threads=3)).threads == 3
    assert LocalWorkers(2).settings(EngineSettings(threads=3)).threads == 3
    assert LocalWorkers(10**4).settings(settings).threads == 1


def test_jobs_of_a_batch_system(tiny_bundle, tmp_path):
    commands = tmp_path / "bin"
    write_sbatch(commands, in_background=True)
    write_cases(tmp_path / "cases", [f"{k:02}" for k in range(20)])
    (tmp_path / "lab.yaml").write_text(FILE + "interface: lo\n")
    environment = {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}"}

    def infer(*words, code=0):
        command = [sys.executable, "-m", "litemedsam", "-i", "cases", "--model", tiny_bundle, *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stderr.count("\n") == (1 if code else 0), done.stderr
        return done

    done = infer("--cluster", "lab.yaml", "-o", "jobs", "--report", "run.json")
    assert "20 of 20 segmented, 0 failed" in done.stdout
    assert json.loads((tmp_path / "run.json").read_text())["run"]["threads"] == 1
    infer("-o", "one", "--threads", "1", "-q")
    assert contents(tmp_path / "jobs") == contents(tmp_path / "one")
    # Both jobs were submitted, and are cancelled.
    for job in (1, 2):
        pid = int((commands / f"jobs.{job}").read_text())
        wait_until(lambda pid=pid: not os.path.exists(f"/proc/{pid}"))

    (commands / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid account' >&2\nexit 1\n")
    refused = infer("--cluster", "lab.yaml", "-o", "other", code=1)
    assert "lab.yaml: its jobs cannot be submitted (sbatch: error: invalid account)" in refused.stderr
    (tmp_path / "lab.yaml").write_text(FILE + "colour: blue\n")
    refused = infer("--cluster", "lab.yaml", "-o", "other", code=1)
    assert "lab.yaml: dask-jobqueue does not take it" in refused.stderr
