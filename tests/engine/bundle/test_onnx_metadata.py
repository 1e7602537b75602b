"""Metadata read from ONNX files without a runtime."""

import pytest
from litemedsam.engine.bundle.info import DECODER
from litemedsam.engine.bundle.onnx_metadata import read_metadata
from litemedsam.engine.bundle.packaged import bundle_folder

from litemedsam import LiteMedSamError


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x0d\x00", "ends within a field"),
        (b"\x08", "ends within a field"),
        (b"\x08\xff", "ends within a number"),
        (b"\x80" * 11, "a number is too long"),
        (b"\x0b", "field 1 is of unknown kind 3"),
        (b"\x72\x05ab", "ends within a field"),
        (b"\x72\x01\x0a", "damaged"),
        (b"\x72\x03\x0a\x01\xff", "damaged"),
    ],
)
def test_damaged_metadata(tmp_path, content, words):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(LiteMedSamError, match=words):
        read_metadata(tmp_path / "a.onnx")


def test_fields_of_every_kind_are_stepped_over(tmp_path):
    entry = b"\x0a\x01k\x12\x81\x01" + b"v" * 129
    pair = b"\x72" + bytes([0x80 | len(entry) & 0x7F, len(entry) >> 7]) + entry
    (tmp_path / "a.onnx").write_bytes(b"\x08\x05" + b"\x0d1234" + b"\x0912345678" + b"\x12\x02xx" + pair)
    assert read_metadata(tmp_path / "a.onnx") == {"k": "v" * 129}
    with pytest.raises(LiteMedSamError, match="cannot be read"):
        read_metadata(tmp_path / "none.onnx")


GRAPH = bundle_folder() / DECODER


def test_metadata_are_read_without_a_runtime():
    metadata = read_metadata(GRAPH)
    assert metadata["litemedsam.format_version"] == "1"


@pytest.mark.parametrize(
    "content",
    [b"\x08", b"\x0f", b"\x72\x7f", b"\xff" * 20, b"\x72\x08\x0a" + b"\xff" * 7, b"text that is no protocol buffer"],
)
def test_other_files_have_no_metadata(tmp_path, content):
    path = tmp_path / "graph.onnx"
    path.write_bytes(content)
    with pytest.raises(LiteMedSamError, match="not an ONNX file"):
        read_metadata(path)
