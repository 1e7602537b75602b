"""Archives of arrays: read by key, checked before they are unpacked."""

import io
import struct
import zipfile

import numpy as np
import pytest
from synthetic_scans import phantom

from litemedsam import LiteMedSamError
from litemedsam.archive import BoundedReader, check_unpacked, open_archive

PIXELS = phantom(1, 8, 10)[0]


def npy(array, version=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    return file.getvalue()


def archive(path, method=zipfile.ZIP_DEFLATED, **entries):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in entries.items():
            file.writestr(name.replace("_npy", ".npy"), content)
    return path


def test_archives_are_read_by_key_and_checked(tmp_path):
    path = archive(tmp_path / "a.npz", a_npy=npy(PIXELS), b_npy=npy(PIXELS, (2, 0)), c=b"text")
    with open_archive(path) as arrays:
        assert arrays.keys == ("a", "b", "c")
        assert arrays.nbytes("a") == 80 + 128
        np.testing.assert_array_equal(arrays.read("a"), PIXELS)
        np.testing.assert_array_equal(arrays.read("b"), PIXELS)
        with pytest.raises(LiteMedSamError, match="c is not a NumPy array"):
            arrays.read("c")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy(PIXELS)[:-1], "do not fit 79 bytes"),
        (npy(PIXELS) + b"\0", "do not fit 81 bytes"),
        (npy(PIXELS).replace(b"(8, 10)", b"(-8,10)"), "shape (-8, 10)"),
        (npy(PIXELS, (3, 0)), "format version (3, 0)"),
        (npy(np.zeros(3, "S0")).replace(b"S1", b"S0").replace(b"(3,)", b"(9,)"), "damaged"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"-" * 9000, "damaged"),
        (b"", "damaged"),
    ],
)
def test_arrays_that_do_not_fit_their_headers(tmp_path, content, words):
    with open_archive(archive(tmp_path / "a.npz", a_npy=content)) as arrays, pytest.raises(LiteMedSamError) as error:
        arrays.read("a")
    assert words in str(error.value)


def test_other_packings_and_other_files_are_refused(tmp_path):
    path = archive(tmp_path / "a.npz", zipfile.ZIP_LZMA, a_npy=npy(PIXELS))
    with open_archive(path) as arrays, pytest.raises(LiteMedSamError, match="compression method 14"):
        arrays.read("a")
    (tmp_path / "b.npz").write_bytes(npy(PIXELS))
    for name, words in (("b.npz", "a single array"), ("none.npz", r"cannot be read \(No such file")):
        with pytest.raises(LiteMedSamError, match=words), open_archive(tmp_path / name):
            pass


def test_sizes_are_in_proportion():
    check_unpacked("a", 270_000_000, 10)
    check_unpacked("a", 2_000_000_000, 10_000_000)
    for unpacked, packed in ((270_000_001, 10), (2_000_000_001, 10_000_000)):
        with pytest.raises(LiteMedSamError, match="expected at most 200 times the file's size"):
            check_unpacked("a", unpacked, packed)


def test_a_bounded_reader_asks_for_no_more_than_there_is(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    with BoundedReader(tmp_path / "a") as file:
        assert file.read(4) == b"0123"
        assert file.read(1 << 60) == b"456789"
        assert file.read() == b""
        file.seek(8)
        assert file.read(None) == b"89"
        file.seek(20)
        assert file.read(5) == b""


DISGUISES = {
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid 0\n", "a Git LFS pointer", "run git lfs pull"),
    "page": (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "a web page", "download the file itself"),
    "old_page": (b"\xef\xbb\xbf<HTML><body>404</body></HTML>", "a web page", "download the file itself"),
}


@pytest.mark.parametrize("name", DISGUISES)
def test_what_a_download_left_instead_is_named(tmp_path, name):
    content, what, remedy = DISGUISES[name]
    path = tmp_path / "file.npz"
    path.write_bytes(content)
    with pytest.raises(LiteMedSamError, match=rf"file\.npz: {what} instead of .*; {remedy}"), open_archive(path):
        pass
