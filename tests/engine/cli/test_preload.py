"""A guess of a case's kind before the case is read."""

from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.cli import preload
from litemedsam.engine.cli.preload import likely_kind
from litemedsam.engine.settings import EngineSettings


def npz(path: Path, numbers: int, objects: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, imgs=np.zeros((4,) * (numbers // 2), np.uint8), boxes=np.zeros((objects, numbers), int))
    return path


@pytest.mark.parametrize(("numbers", "volume"), [(4, False), (6, True)])
def test_an_npz_file_is_looked_into(tmp_path, numbers, volume):
    assert likely_kind([npz(tmp_path / "case.npz", numbers, 3)], None) == (volume, 3)
    npz(tmp_path / "folder" / "b.npz", 10 - numbers, 1)
    npz(tmp_path / "folder" / "a.npz", numbers, 5)
    assert likely_kind([], tmp_path / "folder") == (volume, 5)


def test_boxes_that_are_dictionaries_are_those_of_volumes(tmp_path):
    keys = ("z_mid_x_min", "z_mid_y_min", "z_min", "z_mid_x_max", "z_mid_y_max", "z_max")
    records = [dict(zip(keys, [0, 0, 0, 3, 3, 3], strict=True))] * 2
    np.savez(tmp_path / "case.npz", imgs=np.zeros((4, 4, 4), np.uint8), boxes=records)
    assert likely_kind([tmp_path / "case.npz"], None) == (True, 2)


def test_given_boxes_say_it(tmp_path):
    assert likely_kind([tmp_path / "scan.png"], None, [(1, 2, 3, 4, 5, 6)]) == (True, 1)
    assert likely_kind([tmp_path / "scan.nii.gz"], None, [(1, 2, 3, 4)] * 2) == (False, 2)


@pytest.mark.parametrize(
    ("name", "volume"), [("a.png", False), ("a.TIFF", False), ("a.nii.gz", True), ("series", True)]
)
def test_otherwise_the_name_says_it(name, volume):
    found, objects = likely_kind([Path(name)], None)
    assert found == volume
    assert objects >= 2


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_what_cannot_be_read_is_no_reason_to_stop(tmp_path, content):
    path = tmp_path / "case.npz"
    if content is not None:
        path.write_bytes(content)
    assert likely_kind([path], None)[0] is False
    np.savez(path, imgs=np.zeros((2, 2)), boxes=np.zeros(4))
    assert likely_kind([path], None)[0] is False
    np.savez(path, imgs=np.zeros((2, 2)), boxes=np.zeros((0, 4)))
    assert likely_kind([path], None) == (False, 1)
    assert likely_kind([], tmp_path / "absent")[0] is True


@pytest.mark.parametrize("spare", [True, False])
def test_graphs_load_ahead_only_where_memory_is_spare(tiny_bundle, monkeypatch, spare):
    monkeypatch.setattr(preload, "spare_memory", lambda: spare)
    graphs = preload.graphs_ahead(EngineSettings(bundle=tiny_bundle, threads=1), [Path("a.png")], None)
    assert (graphs.encoder.streams, graphs.decoder.streams) == ((1, 1) if spare else (0, 0))
