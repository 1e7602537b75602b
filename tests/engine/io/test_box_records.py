"""Boxes as dictionaries: read as NumPy reads them, and nothing else is."""

import ast
import os
import pickle
import pickletools
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litemedsam.engine.io import box_records
from litemedsam.engine.io.box_records import LARGEST_RECORDS, boxes_of_records
from litemedsam.engine.io.formats import format_of
from litemedsam.engine.objects.json_file import BoxesFile
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.objects.sources import StoredBoxes

from litemedsam import LiteMedSamError

KEYS = ("z_mid_x_min", "z_mid_y_min", "z_min", "z_mid_x_max", "z_mid_y_max", "z_max")


def record(*box, z_mid=2):
    """A box as the CVPR 2025 challenge stores it."""
    x0, y0, z0, x1, y1, z1 = box
    return {"z_min": z0, "z_max": z1, "z_mid": z_mid, "z_mid_x_min": x0, "z_mid_y_min": y0, "z_mid_x_max": x1,
            "z_mid_y_max": y1}  # fmt: skip


def content(array, protocol=4):
    return pickle.dumps(array, protocol=protocol)


def objects(*records):
    made = np.empty(len(records), object)
    made[:] = records
    return made


def test_a_case_of_the_challenge_is_segmented_as_it_is(tmp_path):
    boxes = [record(3, 4, 1, 20, 22, 5), record(np.int64(8), np.int32(9), 0, np.uint16(30), 31.0, 7)]
    path = tmp_path / "CT_a.npz"
    np.savez_compressed(path, imgs=np.zeros((8, 40, 50), np.uint8), boxes=boxes, spacing=[1.0, 1, 2])
    scan = format_of(path).read(path)
    prepared = prepare(scan, StoredBoxes().objects(path, scan))
    np.testing.assert_array_equal(prepared.case.boxes, [[3, 4, 1, 20, 22, 5], [8, 9, 0, 30, 31, 7]])
    assert prepared.case.is_volume
    # Other boxes may be given for the same file.
    (tmp_path / "a.json").write_text("[[1, 2, 0, 5, 6, 1]]")
    assert len(BoxesFile(tmp_path / "a.json").objects(path, scan).prompts) == 1


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("core", [b"numpy._core.multiarray", b"numpy.core.multiarray"])
def test_files_of_every_numpy(protocol, core):
    """NumPy 1 stores protocol 3 and another module's name."""
    swapped, short = np.arange(6, dtype=">i4"), np.float16([1, 2, 0, 3, 4, 1])
    array = objects(record(1, 2, 3, 4, 5, 6), record(*swapped), record(*short))
    packed = content(array, protocol)
    if protocol < 3:
        # Bytes are made by calling codecs.encode there.
        with pytest.raises(LiteMedSamError, match="never loaded"):
            boxes_of_records("a.npz: boxes", packed)
        return
    if protocol == 3:
        packed = packed.replace(b"cnumpy._core.multiarray\n", b"c" + core + b"\n")
    elif core not in packed:
        # One byte shorter, as are text and frame.
        packed = (
            pickle.PROTO
            + bytes([protocol])
            + packed[11:].replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray")
        )
        assert core in packed
    np.testing.assert_array_equal(
        boxes_of_records("a.npz: boxes", packed), [[1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5], [1, 2, 0, 3, 4, 1]]
    )


NUMBERS = st.one_of(
    st.integers(-(2**31), 2**31),
    st.floats(-1e6, 1e6),
    st.integers(-100, 100).map(np.int8),
    st.integers(0, 2**31).map(np.int64),
    st.floats(-1e6, 1e6, width=32).map(np.float32),
    st.floats(-1e6, 1e6).map(np.float64),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(*[NUMBERS] * 6), max_size=4), st.sampled_from([3, 4, 5]), st.booleans())
def test_values_are_those_that_were_stored(boxes, protocol, whole):
    array = objects(*(record(*box) for box in boxes))
    packed = content(array, protocol)
    expected = np.array([[float(one[key]) for key in KEYS] for one in array]).reshape(-1, 6)
    np.testing.assert_array_equal(boxes_of_records("boxes", packed), expected)
    np.testing.assert_array_equal(boxes_of_records("boxes", pickletools.optimize(packed)), expected)


class Calls:
    def __reduce__(self):
        return os.mkdir, ("called",)


class Items:
    def __reduce__(self):
        return list, (), None, iter([os.mkdir])


GLOBALS = {
    "system": b"cos\nsystem\n(S'touch called'\ntR.",
    "eval": b"\x80\x04cbuiltins\neval\n(\x8c\x01a\x85R.",
    "getattr": b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.",
    "dotted": b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",
    "submodule": b"\x80\x04\x8c\x0anumpy.core\x8c\x05dtype\x93.",
    "instance": b"(ios\nsystem\n.",
    "object": b"(cos\nsystem\no.",
    "new object": b"\x80\x02cnumpy\nndarray\n(t\x81.",
    "extension": b"\x80\x02\x82\x01.",
    "persistent": b"Pabc\n.",
    "build of a list": b"\x80\x04](t b.",
    "call of a list": b"\x80\x04](tR.",
    "call of an array": b"\x80\x02cnumpy\nndarray\n(tR.",
    "type without a text": b"\x80\x02cnumpy\ndtype\n(tR.",
    "get without put": b"\x80\x04h\x05.",
    "empty": b"",
    "no end": b"\x80\x04]",
    "two values": b"\x80\x04]].",
    "mark alone": b"\x80\x04(.",
    "no mark": b"\x80\x04t.",
    "keys that are tuples": b"\x80\x04}))s.",
    "long text number": b"I" + b"9" * 5000 + b"\n.",
    "huge length": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "self": b"\x80\x04]\x94h\x00a.",
    "set": b"\x80\x04\x8f.",
    "bytearray": b"\x80\x05\x96\x00\x00\x00\x00\x00\x00\x00\x00.",
}


@pytest.mark.parametrize("name", GLOBALS)
def test_nothing_else_is_followed(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LiteMedSamError, match="boxes holds pickled Python objects"):
        boxes_of_records("a.npz: boxes", GLOBALS[name])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("evil", [Calls(), Items(), [Calls()], {"z_min": Calls()}])
def test_objects_within_an_array_are_not_made(tmp_path, monkeypatch, evil):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "a.npz", imgs=np.zeros((3, 4, 5), np.uint8), boxes=objects(evil))
    with pytest.raises(LiteMedSamError, match="never loaded; save boxes as numbers"):
        format_of(tmp_path / "a.npz").read(tmp_path / "a.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([{"z_min": 1}], "object 1: lacks z_mid_x_min; its keys must be z_mid_x_min, z_mid_y_min, z_min"),
        ([record(1, 2, 3, 4, 5, 6), record(1, 2, 3, 4, 5, "6")], "object 2: z_max is no number"),
        ([record(1, 2, 3, 4, 5, True)], "object 1: z_max is no number"),
        ([record(1, 2, 3, 4, 5, float("nan"))], "object 1: z_max is no number"),
        ([record(1, 2, 3, 4, 5, 10**300)], "object 1: z_max is no number"),
        ([[1, 2, 3, 4, 5, 6], [1, 2]], "pickled Python objects other than dictionaries; save boxes as numbers"),
        ([None], "other than dictionaries"),
    ],
)
def test_dictionaries_of_another_form_are_named(records, words):
    with pytest.raises(LiteMedSamError) as error:
        boxes_of_records("a.npz: boxes", content(objects(*records)))
    assert words in str(error.value)
    assert "save boxes as numbers, (N, 6) with x_min, y_min, z_min, x_max, y_max, z_max" in str(error.value)


def test_the_remedy_works(tmp_path):
    np.savez(tmp_path / "a.npz", imgs=np.zeros((8, 40, 50), np.uint8), boxes=[[3, 4, 1, 20, 22, 5]])
    scan = format_of(tmp_path / "a.npz").read(tmp_path / "a.npz")
    assert len(StoredBoxes().objects(tmp_path / "a.npz", scan).prompts) == 1


def test_large_files_take_little_time():
    for packed in (
        b"\x80\x04" + b"(" * 999_000 + b"t" * 999_000 + b".",
        b"\x80\x04" + b"]\x94" * 900_000 + b".",
        b"\x80\x04]\x94(" + b"h\x00" * 900_000 + b"e.",
        b" " * (LARGEST_RECORDS + 1),
    ):
        start = time.process_time()
        with pytest.raises(LiteMedSamError, match="pickled"):
            boxes_of_records("boxes", packed)
        # Hours, if the time grew with the square of the length.
        assert time.process_time() - start < 60


OPCODES = b"".join(opcode.code.encode("latin-1") for opcode in pickletools.opcodes)
HONEST = content(objects(record(1, 2, 3, 4, 5, 6), record(*np.arange(6))))


@st.composite
def damaged(draw):
    packed = bytearray(HONEST)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(packed) - 1))
        packed[at : at + draw(st.integers(0, 3))] = draw(
            st.binary(max_size=3) | st.lists(st.sampled_from(list(OPCODES)), max_size=3).map(bytes)
        )
    return bytes(packed)


@settings(deadline=None, max_examples=500, suppress_health_check=list(HealthCheck))
@given(damaged() | st.lists(st.sampled_from(list(OPCODES)), max_size=30).map(bytes) | st.binary(max_size=40))
def test_any_bytes_give_boxes_or_one_line(packed):
    try:
        boxes = boxes_of_records("boxes", packed)
    except LiteMedSamError:
        return
    assert boxes.dtype == np.float64
    assert boxes.shape[1:] == (6,)
    assert np.isfinite(boxes).all()


def test_the_reader_can_neither_import_nor_call_what_a_file_names():
    """Its source has no way from a text to an object: no unpickler, no import by name, no attribute by name."""
    with open(box_records.__file__) as file:
        tree = ast.parse(file.read())
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules == {"pickletools", "struct", "collections.abc", "dataclasses", "enum", "typing", "numpy", "archive",
                       "errors"}  # fmt: skip
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    forbidden = {"eval", "exec", "compile", "__import__", "getattr", "setattr", "globals", "locals", "vars", "open"}
    assert not called & forbidden
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    assert {node.attr for node in attributes if ast.unparse(node.value) == "pickletools"} == {"genops"}


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (b"\x80\x04}(K\x01K\x02e.", "never loaded"),
        (content(objects(record(np.int16(1), 2, 3, 4, 5, 6))).replace(b"\x8c\x02i2", b"\x8c\x02i4"), "never loaded"),
    ],
)
def test_what_numpy_never_writes_is_refused(packed, words):
    with pytest.raises(LiteMedSamError, match=words):
        boxes_of_records("a.npz: boxes", packed)
