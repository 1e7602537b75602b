"""The example cases are those that their script makes."""

import subprocess
import sys

import numpy as np
import pytest
from places import ROOT


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    subprocess.run([sys.executable, ROOT / "examples" / "make_examples.py", folder], check=True)
    return folder


@pytest.mark.parametrize("name", ["2DBox_phantom.npz", "3DBox_phantom.npz"])
def test_an_example_is_made_again(made, name):
    with np.load(made / name) as again, np.load(ROOT / "examples" / name) as kept:
        assert set(again.files) == set(kept.files)
        for key in kept.files:
            assert np.array_equal(again[key], kept[key])
