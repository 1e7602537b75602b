"""The shell scripts of docs/cohorts.md, run with a stand-in for `sbatch`."""

import json
import os
import re
import subprocess
import sys

import numpy as np
from cluster_parts import write_command, write_sbatch
from places import ROOT


def script(name):
    return re.search(rf"<!-- {name} -->\n```sh\n(.*?)```", (ROOT / "docs" / "cohorts.md").read_text(), re.DOTALL)[1]


def test_an_array_segments_the_cohort_and_a_last_job_merges_its_records(tiny_bundle, tmp_path):
    commands = tmp_path / "bin"
    write_sbatch(commands)
    infer = f'{sys.executable} -m litemedsam "$@" --model {tiny_bundle} --threads 1'
    write_command(commands / "litemedsam-infer", f"#!/bin/sh\nexec {infer}\n")
    (tmp_path / "cohort").mkdir()
    rng = np.random.default_rng(0)
    names = [f"{k}.npz" for k in range(12)]
    for name in names:
        np.savez(tmp_path / "cohort" / name, imgs=rng.integers(0, 255, (70, 60), np.uint8), boxes=[[2, 3, 40, 50]])
    (tmp_path / "cohort.sh").write_text(script("slurm array"))
    assert len(script("slurm array").splitlines()) <= 10
    environment = {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}"}

    def run(text):
        return subprocess.run(["bash", "-ec", text], cwd=tmp_path, env=environment, capture_output=True, text=True)

    submitted = run(script("slurm submission"))
    assert submitted.returncode == 0, submitted.stderr
    tasks = [(tmp_path / f"slurm-1_{k}.out").read_text() for k in range(5)]
    counts = [int(re.search(rf"part {k + 1} of 5: (\d+) of 12 cases", tasks[k])[1]) for k in range(5)]
    assert sum(counts) == 12
    assert sum(count > 0 for count in counts) > 1
    assert "12 of 12 segmented, 0 failed, 0 missing" in (tmp_path / "slurm-2_0.out").read_text()
    read = json.loads((tmp_path / "run.json").read_text())
    assert [case["case"] for case in read["cases"]] == sorted(f"cohort/{name}" for name in names)
    assert len((tmp_path / "objects.csv").read_text().splitlines()) == 13
    assert run("litemedsam-infer cohort -o outputs --check").returncode == 0

    parts = {path.name: path.read_bytes() for path in (tmp_path / "outputs").iterdir()}
    assert run("litemedsam-infer cohort -o whole --precision f32 -q").returncode == 0
    assert parts == {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}

    # One result is lost; the task that is submitted again finds it, whichever part it belonged to.
    (tmp_path / "outputs" / "3.npz").unlink()
    assert run("litemedsam-infer cohort -o outputs --check").returncode == 1
    assert run("sbatch --array=3 cohort.sh").stdout == "Submitted batch job 3\n"
    assert run("litemedsam-infer cohort -o outputs --check").returncode == 0
