"""Result files are complete or not there."""

import os

import pytest

from litemedsam import LiteMedSamError
from litemedsam.atomic import make_output_folder, write_atomically


def test_a_write_that_is_stopped_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"before")

    def half(file):
        file.write(b"hal")
        raise SystemExit(143)

    with pytest.raises(SystemExit):
        write_atomically(path, half)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a.npz"]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.npz"

    def outer(file):
        file.write(b"out")
        write_atomically(path, lambda other: other.write(b"inner"))
        file.write(b"er")

    write_atomically(path, outer)
    assert path.read_bytes() == b"outer"
    assert os.listdir(tmp_path) == ["a.npz"]


def test_an_output_folder_is_made_or_refused(tmp_path):
    make_output_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(LiteMedSamError, match=r"cannot be written .* writable output folder"):
            make_output_folder(folder)
