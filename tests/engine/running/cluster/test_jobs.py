"""Files for batch systems, and jobs of a stand-in for SLURM."""

import json
import os
import re
import subprocess
import sys

import pytest
from cluster_parts import contents, wait_until, write_cases, write_sbatch
from litemedsam.engine.running.cluster.jobs import Jobs
from places import ROOT

from litemedsam.errors import LiteMedSamError

pytest.importorskip("dask_jobqueue")

FILE = "system: slurm\njobs: 2\ncores: 1\nmemory: 2GB\nwalltime: '01:00:00'\n"


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


def test_the_file_in_the_documents(tmp_path):
    page = (ROOT / "docs" / "cohorts.md").read_text()
    path = tmp_path / "lab.yaml"
    path.write_text(re.search(r"<!-- cluster file -->\n```yaml\n(.*?)```", page, re.DOTALL)[1])
    jobs = Jobs.read(path)
    assert (jobs.system, jobs.jobs, jobs.cores) == ("slurm", 10, 4)
    assert jobs.others["walltime"] == "04:00:00"


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
