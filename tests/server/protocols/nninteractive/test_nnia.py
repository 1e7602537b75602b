"""nnInteractive's arrays: there and back, against the published client's own, and damaged in every place."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litemedsam import LiteMedSamError

blosc2 = pytest.importorskip("blosc2", reason="there is no blosc2: pip install 'litemedsam[serve-nninteractive]'")
from litemedsam.server.protocols.nninteractive.nnia import pack, unpack  # noqa: E402 - after the skip

ROOM = 10_000_000
ARRAYS = [
    np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5),
    np.zeros((7, 11, 13), np.uint8),
    np.ones((3, 1, 2), bool),
    np.arange(6, dtype=np.int16).reshape(6),
    np.float64(3.5).reshape(()),
    np.zeros((0, 4), np.uint16),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_there_and_back(array):
    found = unpack(pack(array), ROOM)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("array", ARRAYS[:4], ids=lambda array: f"{array.dtype}{array.shape}")
def test_the_published_client_reads_ours_and_we_read_its(array):
    published = pytest.importorskip("nnInteractive.inference.remote.serialization", reason="no nninteractive-client")
    np.testing.assert_array_equal(published.unpack_array(pack(array)), array)
    for codec in (blosc2.Codec.ZSTD, blosc2.Codec.LZ4):
        np.testing.assert_array_equal(unpack(published.pack_array(array, codec), ROOM), array)


def body(magic=b"NNIA", head=(1, 1, 3), name=b"uint8", shape=(2, 3, 4), parts=None, count=None):
    """A body of given fields."""
    levels = np.arange(24, dtype=np.uint8)
    packed = blosc2.compress2(levels, typesize=1)
    parts = [(24, len(packed), packed)] if parts is None else parts
    content = magic + struct.pack("<4B", *head, len(name)) + name + struct.pack(f"<{len(shape)}q", *shape)
    content += struct.pack("<I", len(parts) if count is None else count)
    return content + b"".join(struct.pack("<2Q", raw, size) + part for raw, size, part in parts)


def packed(size):
    return blosc2.compress2(np.zeros(size, np.uint8), typesize=1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "ends after 0 bytes"),
        (b"NNI", "ends after 3 bytes"),
        (body(magic=b"GZIP"), "is no array"),
        (body(head=(2, 1, 3)), "version 2 and codec 1, expected version 1"),
        (body(head=(1, 9, 3)), "codec 9"),
        (body(head=(1, 1, 200)), "200 axes, expected at most 4"),
        (body(name=b"object"), "type 'object', expected one of: bool"),
        (body(name=b"\xff\xfe"), "expected one of: bool"),
        (body(name=b"U99999999"), "expected one of: bool"),
        (body(shape=(2, -3, 4)), "expected numbers from 0 to 1000000"),
        (body(shape=(0, 2**62, 2**62), parts=[]), "expected numbers from 0 to 1000000"),
        (body(shape=(10**6, 10**6, 10**6)), "expected at most 10 MB"),
        (body(shape=(2, 3, 5)), "parts of 24 bytes in all, expected the array's 30"),
        (body(shape=(2, 3, 3)), "which its own header contradicts"),
        (body(parts=[]), "parts of 0 bytes"),
        (body(count=2**32 - 1), "ends after"),
        (body(parts=[(2**63, 10, b"0123456789")]), "contradicts"),
        (body(parts=[(0, len(packed(24)), packed(24))]), "contradicts"),
        (body(parts=[(24, 10, b"0123456789")]), "contradicts"),
        (body(parts=[(24, len(packed(48)), packed(48))]), "contradicts"),
        (body(parts=[(24, 2**63, packed(24))]), "ends after"),
        (body()[:-3], "ends after"),
    ],
)
def test_what_is_no_array_is_refused(content, words):
    with pytest.raises(LiteMedSamError, match=words) as refused:
        unpack(content, ROOM)
    assert "\n" not in str(refused.value)


def outcome(content):
    """What becomes of a body."""
    try:
        return "array" if unpack(content, ROOM).nbytes <= ROOM else "too large an array"
    except LiteMedSamError as refused:
        return "several lines" if "\n" in str(refused) else "one line"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bytes_give_an_array_or_a_refusal(data):
    content = bytearray(pack(ARRAYS[0]))
    for _ in range(data.draw(st.integers(1, 4))):
        # The header and the parts' sizes; what lies within a part is Blosc2's own.
        place = data.draw(st.integers(0, 75))
        content[place] = data.draw(st.integers(0, 255))
    assert outcome(bytes(content)) in ("array", "one line")
