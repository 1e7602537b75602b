"""The challenge's npz files."""

import numpy as np
import pytest
from litemedsam.engine.io.npz import Npz, read_case
from litemedsam.engine.system import resources
from litemedsam.engine.system.resources import resident_memory

from litemedsam import LiteMedSamError


def test_a_file_is_refused_by_its_unpacked_size_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, imgs=np.zeros((200, 512, 512), np.uint8), boxes=np.array([[1, 1, 0, 9, 9, 9]]))
    monkeypatch.setattr(resources, "memory_limit", lambda: resident_memory() + 40_000_000)
    with pytest.raises(LiteMedSamError, match=r"a\.npz: imgs needs 0\.05 GB of memory"):
        read_case(path)
    monkeypatch.setattr(resources, "memory_limit", lambda: resident_memory() + 80_000_000)
    assert read_case(path).pixels.shape == (200, 512, 512)


def test_an_npz_file_has_no_time_points(tmp_path):
    np.savez(tmp_path / "a.npz", imgs=np.zeros((8, 9), np.uint8))
    with pytest.raises(LiteMedSamError, match="an npz file has no time points; leave --frame out"):
        Npz().read(tmp_path / "a.npz", 0)
