"""The scripts that measure accuracy and agreement, on an example."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from places import ROOT


def run(script, *arguments):
    command = [sys.executable, ROOT / "benchmarks" / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def cases(tmp_path):
    folder = tmp_path / "cases"
    folder.mkdir()
    shutil.copy(ROOT / "examples" / "2DBox_phantom.npz", folder / "2DBox_CT_phantom.npz")
    return folder


def test_the_back_ends_agree_on_an_example(cases):
    done = run("run_agreement.py", cases)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 cases, ")
    assert "of 134400 voxels agree" in done.stdout


def test_accuracy_of_an_example_beside_the_rivals(cases, tmp_path):
    done = run("run_accuracy.py", cases, "--json", tmp_path / "figures.json")
    assert done.returncode == 0, done.stderr
    assert "ellipse" in done.stdout.splitlines()[0]
    figures = json.loads((tmp_path / "figures.json").read_text())
    macro = {name: means["corrected"]["macro"]["dsc"] for name, means in figures["tight"].items()}
    assert 0.5 < macro["box"] < macro["masks"] < 1
    loose = figures["enlarged"]["masks"]["corrected"]["macro"]["dsc"]
    assert abs(macro["masks"] - loose) < 0.1


def test_enlarged_boxes_hold_the_tight_ones_and_stay_inside(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from run_accuracy import enlarge

    boxes = np.array([[0, 0, 99, 49], [10, 20, 29, 39], [5, 5, 5, 5]])
    enlarged = enlarge(boxes, (50, 100), 0.05, np.random.default_rng(0))
    assert (enlarged[:, :2] <= boxes[:, :2]).all()
    assert (enlarged[:, 2:] >= boxes[:, 2:]).all()
    assert (enlarged >= 0).all()
    assert (enlarged[:, 2] < 100).all()
    assert (enlarged[:, 3] < 50).all()
    assert (np.abs(enlarged - boxes)[1] <= 1).all()
    assert (enlarged[2] == boxes[2]).all()
    volume = enlarge(np.array([[10, 20, 3, 109, 119, 5]]), (9, 200, 200), 0.05, np.random.default_rng(1))
    assert volume[0, 2] == 3
    assert volume[0, 5] == 5
    assert volume[0, 0] < 10
