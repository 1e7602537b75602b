"""Files and folders are complete or absent, old or new, even if something fails or the process is killed."""

import os
import signal
import subprocess
import sys

import pytest

from litemedsam import LiteMedSamError, atomic
from litemedsam.atomic import (
    fill_folder_atomically,
    make_output_folder,
    remove_left_over,
    write_atomically,
    write_folder_atomically,
)

FORMER, NEW = {"a": b"former", "b": b"former"}, {"a": b"new", "c": b"new"}
# Counts the calls that change what stands under a name, and dies at one of them.
KILLED = """
import os, shutil, signal, sys
from pathlib import Path
calls = 0

def counted(call):
    def counting(*arguments, **options):
        global calls
        calls += 1
        if calls == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return counting

os.mkdir, os.replace, shutil.rmtree = counted(os.mkdir), counted(os.replace), counted(shutil.rmtree)
from litemedsam.atomic import fill_folder_atomically

with fill_folder_atomically(Path(sys.argv[1])) as folder:
    (folder / "a").write_bytes(b"new")
    (folder / "c").write_bytes(b"new")
"""


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


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def former(tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name, data in FORMER.items():
        (folder / name).write_bytes(data)
    return folder


def test_a_folder_is_replaced_as_a_whole(former):
    with fill_folder_atomically(former) as folder:
        assert folder.parent == former.parent
        (folder / "a").write_bytes(b"new")
        (folder / "c").write_bytes(b"new")
        assert content(former) == FORMER
    assert content(former) == NEW
    assert os.listdir(former.parent) == ["bundle"]


def test_a_folder_that_cannot_be_filled_leaves_the_former_one(former):
    def stopped():
        with fill_folder_atomically(former) as folder:
            (folder / "a").write_bytes(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert content(former) == FORMER
    assert os.listdir(former.parent) == ["bundle"]


@pytest.mark.parametrize("failing", [1, 2])
def test_a_rename_that_fails_leaves_the_former_one(former, monkeypatch, failing):
    replace, calls = os.replace, []

    def failing_once(*paths):
        calls.append(paths)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")
        replace(*paths)

    monkeypatch.setattr(atomic.os, "replace", failing_once)
    words = r"bundle: cannot be written \(No space left on device\); try there"
    with pytest.raises(LiteMedSamError, match=words), fill_folder_atomically(former, "try there") as folder:
        (folder / "a").write_bytes(b"new")
    assert content(former) == FORMER
    assert os.listdir(former.parent) == ["bundle"]


def test_a_former_folder_that_cannot_be_moved_back_is_kept_for_the_next_run(former, monkeypatch):
    replace, calls = os.replace, []

    def only_once(*paths):
        calls.append(paths)
        if len(calls) > 1:
            raise OSError(5, "Input/output error")
        replace(*paths)

    with monkeypatch.context() as patched:
        patched.setattr(atomic.os, "replace", only_once)
        with pytest.raises(LiteMedSamError, match="cannot be written"):
            write_folder_atomically(former, NEW)
    assert not former.exists()
    remove_left_over([former])
    assert content(former) == FORMER
    assert os.listdir(former.parent) == ["bundle"]


@pytest.mark.parametrize("there", [True, False])
def test_a_killed_process_leaves_one_whole_folder(tmp_path, there):
    for step in range(1, 10):
        place = tmp_path / str(step)
        folder = place / "bundle"
        place.mkdir()
        if there:
            write_folder_atomically(folder, FORMER)
        code = subprocess.run([sys.executable, "-c", KILLED, folder, str(step)]).returncode
        # Before the next run, only the moment between the two renames leaves no folder of that name.
        if folder.exists():
            assert content(folder) in ([FORMER, NEW] if there else [NEW])
        remove_left_over([folder])
        assert content(folder) in (FORMER, NEW) if there else not folder.exists() or content(folder) == NEW
        assert os.listdir(place) == (["bundle"] if folder.exists() else [])
        if code == 0:
            assert content(folder) == NEW
            assert step > 4 if there else 2
            return
        assert code == -signal.SIGKILL
    raise AssertionError("it never came to its end")


@pytest.mark.skipif(atomic.fcntl is None, reason="there are no locks here")
def test_what_a_living_process_has_moved_aside_stays(former, monkeypatch):
    replace, seen = os.replace, []

    def look_between(*paths):
        replace(*paths)
        if not former.exists():
            code = "import sys, pathlib, litemedsam.atomic as a; a.remove_left_over([pathlib.Path(sys.argv[1])])"
            subprocess.run([sys.executable, "-c", code, former], check=True)
            seen.append(sorted(os.listdir(former.parent)))

    monkeypatch.setattr(atomic.os, "replace", look_between)
    write_folder_atomically(former, NEW)
    ((aside, new),) = [sorted(names, key=lambda name: name.endswith(".part")) for names in seen]
    assert aside.endswith(".old")
    assert new.endswith(".part")
    assert content(former) == NEW


def test_without_locks_a_former_folder_is_moved_back_all_the_same(former, monkeypatch):
    former.rename(former.with_name(".bundle.01234567.old"))
    monkeypatch.setattr(atomic, "fcntl", None)
    remove_left_over([former])
    assert content(former) == FORMER


def test_a_link_in_the_place_of_a_folder_is_replaced_not_followed(former):
    link = former.with_name("link")
    link.symlink_to(former)
    write_folder_atomically(link, NEW)
    assert not link.is_symlink()
    assert content(link) == NEW
    assert content(former) == FORMER
    assert sorted(os.listdir(former.parent)) == ["bundle", "link"]
