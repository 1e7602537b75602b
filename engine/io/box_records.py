"""Boxes as dictionaries, which the CVPR 2025 challenge stores as an array of Python objects.

Such an array is a pickle, and unpickling may run anything. Nothing is unpickled here: `pickletools.genops`, which only
takes the bytes apart, gives the instructions, and a table of those that build numbers, texts, lists, tuples and
dictionaries is followed. Of the four names that NumPy's own arrays need, none is imported or called: they are compared
with a list and stand for themselves. Every other instruction and every other name is refused.
"""

import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import numpy as np

from ...archive import BROKEN
from ...errors import LiteMedSamError

LARGEST_RECORDS = 2_000_000
"""In bytes; more than ten thousand boxes, and at most a few seconds of reading."""

# Where a box's numbers are found, in the order of a box: the extent on the middle slice, and the range of slices.
_KEYS = ("z_mid_x_min", "z_mid_y_min", "z_min", "z_mid_x_max", "z_mid_y_max", "z_max")
_NUMBER_TYPES = {f"{kind}{size}" for kind, sizes in (("i", "1248"), ("u", "1248"), ("f", "248")) for size in sizes}
_FLOATS = {2: "e", 4: "f", 8: "d"}


class _Name(Enum):
    """What a pickle of an array names."""

    ARRAY_MAKER = auto()
    ARRAY = auto()
    TYPE = auto()
    NUMBER = auto()


# NumPy 2 moved its module.
_NAMES = {
    ("numpy", "ndarray"): _Name.ARRAY,
    ("numpy", "dtype"): _Name.TYPE,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Name.ARRAY_MAKER for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Name.NUMBER for core in ("core", "_core")},
}


@dataclass
class _Type:
    code: str
    big: bool = False


@dataclass
class _Array:
    items: list[Any] = field(default_factory=list)


class _Mark:
    """Where a list, a tuple or a dictionary begins on the stack."""


class _Refused(Exception):
    """An instruction that no array of dictionaries needs."""


class _Reader:
    """Follows the instructions of one pickle; only builds values."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def value_of(self, content: bytes) -> Any:
        for instruction, argument, _ in pickletools.genops(content):
            step = _STEPS.get(instruction.name)
            if step is None:
                raise _Refused(instruction.name)
            step(self, argument)
        (value,) = self.stack
        return value

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def above_mark(self) -> list[Any]:
        values = []
        # From the end, so that the time is that of what is taken away.
        while not isinstance(self.stack[-1], _Mark):
            values.append(self.stack.pop())
        self.stack.pop()
        return values[::-1]

    def push_tuple(self, count: int) -> None:
        values = tuple(self.stack[-count:])
        if len(values) != count:
            raise _Refused("short stack")
        del self.stack[-count:]
        self.push(values)

    def extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise _Refused("append")
        target += values

    def set_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        keys = values[::2]
        # Only texts are hashed: nested tuples could take for ever.
        if not isinstance(target, dict) or len(values) % 2 or not all(isinstance(key, str) for key in keys):
            raise _Refused("items")
        target.update(zip(keys, values[1::2], strict=True))

    def name(self, module: Any, name: Any) -> None:
        found = _NAMES.get((module, name)) if isinstance(module, str) and isinstance(name, str) else None
        if found is None:
            raise _Refused("name")
        self.push(found)

    def stacked_name(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.name(module, name)

    def make(self) -> None:
        """What a name would be called for; of values that are compared one by one."""
        arguments, made = self.stack.pop(), self.stack.pop()
        if not isinstance(arguments, tuple) or not isinstance(made, _Name):
            raise _Refused("call")
        if made is _Name.ARRAY_MAKER and arguments[:1] == (_Name.ARRAY,):
            self.push(_Array())
        elif made is _Name.TYPE and isinstance(arguments[0], str):
            self.push(_Type(arguments[0]))
        elif made is _Name.NUMBER and isinstance(arguments[0], _Type) and isinstance(arguments[1], bytes):
            self.push(_number(arguments[0], arguments[1]))
        else:
            raise _Refused("call")

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Type) and isinstance(state, tuple):
            target.big = isinstance(state[1], str) and state[1] == ">"
        elif isinstance(target, _Array) and isinstance(state, tuple) and isinstance(state[-1], list):
            target.items = state[-1]
        else:
            raise _Refused("state")


def _number(kind: _Type, content: bytes) -> float:
    """A NumPy number from its bytes."""
    if kind.code not in _NUMBER_TYPES or len(content) != int(kind.code[1]):
        raise _Refused("number")
    if kind.code[0] == "f":
        (value,) = struct.unpack((">" if kind.big else "<") + _FLOATS[len(content)], content)
        return float(value)
    return int.from_bytes(content, "big" if kind.big else "little", signed=kind.code[0] == "i")


_STEPS: dict[str, Callable[[_Reader, Any], Any]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda reader, argument: None),
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES"),
        _Reader.push,
    ),
    "BINBYTES": _Reader.push,
    "NONE": lambda reader, argument: reader.push(None),
    "NEWTRUE": lambda reader, argument: reader.push(True),
    "NEWFALSE": lambda reader, argument: reader.push(False),
    "EMPTY_LIST": lambda reader, argument: reader.push([]),
    "EMPTY_DICT": lambda reader, argument: reader.push({}),
    "EMPTY_TUPLE": lambda reader, argument: reader.push(()),
    "MARK": lambda reader, argument: reader.push(_Mark()),
    "TUPLE": lambda reader, argument: reader.push(tuple(reader.above_mark())),
    "TUPLE1": lambda reader, argument: reader.push_tuple(1),
    "TUPLE2": lambda reader, argument: reader.push_tuple(2),
    "TUPLE3": lambda reader, argument: reader.push_tuple(3),
    "APPEND": lambda reader, argument: reader.extend([reader.stack.pop()]),
    "APPENDS": lambda reader, argument: reader.extend(reader.above_mark()),
    "SETITEM": lambda reader, argument: reader.set_items([reader.stack.pop(-2), reader.stack.pop()]),
    "SETITEMS": lambda reader, argument: reader.set_items(reader.above_mark()),
    "MEMOIZE": lambda reader, argument: reader.memo.update({len(reader.memo): reader.stack[-1]}),
    **dict.fromkeys(
        ("BINPUT", "LONG_BINPUT"), lambda reader, argument: reader.memo.update({argument: reader.stack[-1]})
    ),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda reader, argument: reader.push(reader.memo[argument])),
    "GLOBAL": lambda reader, argument: reader.name(*argument.split(" ")),
    "STACK_GLOBAL": lambda reader, argument: reader.stacked_name(),
    "REDUCE": lambda reader, argument: reader.make(),
    "BUILD": lambda reader, argument: reader.build(),
}


def boxes_of_records(where: str, content: bytes) -> np.ndarray:
    """Boxes from the pickle of an array of dictionaries, without unpickling it.

    Each dictionary has ``z_min``, ``z_max``, and of the middle slice ``z_mid_x_min``, ``z_mid_y_min``,
    ``z_mid_x_max``, ``z_mid_y_max``, all ends included, as in the CVPR 2025 challenge "Foundation models for
    interactive 3D biomedical image segmentation".

    Parameters
    ----------
    where : str
        File and key, for messages.
    content : bytes
        Of the array, without its header.

    Returns
    -------
    ndarray
        float64 (N, 6), see `Case`.

    Raises
    ------
    LiteMedSamError
        For anything else.
    """
    remedy = "save boxes as numbers, (N, 6) with x_min, y_min, z_min, x_max, y_max, z_max, or (N, 4) for an image"
    try:
        if len(content) > LARGEST_RECORDS:
            raise _Refused("size")
        array = _Reader().value_of(content)
        records = array.items if isinstance(array, _Array) else None
    except (_Refused, *BROKEN) as error:
        raise LiteMedSamError(f"{where} holds pickled Python objects, which are never loaded", remedy) from error
    if records is None or not all(isinstance(record, dict) for record in records):
        raise LiteMedSamError(f"{where} holds pickled Python objects other than dictionaries", remedy)
    boxes = np.zeros((len(records), 6))
    for number, record in enumerate(records, start=1):
        for place, key in enumerate(_KEYS):
            value = record.get(key)
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
                lacks = f"{key} is no number" if key in record else f"lacks {key}"
                raise LiteMedSamError(f"{where}: object {number}: {lacks}; its keys must be {', '.join(_KEYS)}", remedy)
            boxes[number - 1, place] = value
    return boxes
