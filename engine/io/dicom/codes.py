"""What an object is, in the codes of DICOM, as far as its name tells."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from ...system.optional import needed

# DICOM PS3.16: kinds of property types, each with its category.
_CONTEXTS = {
    "cid7194": "MorphologicallyAbnormalStructure",
    "cid7191": "Tissue",
    "cid7193": "PhysicalObject",
    "cid7192": "AnatomicalStructure",
}
_SIDES = {"left": "Left", "l": "Left", "right": "Right", "r": "Right"}
_SPELLINGS = {
    "tumour": "tumor",
    "oesophagus": "esophagus",
    "haemorrhage": "hemorrhage",
    "oedema": "edema",
    "vertebrae": "vertebra",
}
_SYNONYMS = {"urinary bladder": "bladder", "tumor": "neoplasm"}
# A capital, a run of small letters, or figures with what belongs to them, as in L3Vertebra and GrayMatter.
_WORD = re.compile(r"[A-Z]+\d+|[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])|\d+")


@dataclass(frozen=True)
class SegmentCodes:
    """Codes of a segment.

    Attributes
    ----------
    category, type : pydicom.sr.coding.Code
        Segmented property category and type; tissue where the name tells nothing.
    side : pydicom.sr.coding.Code or None
        Left or right, where the name says so beside the type.
    """

    category: Any
    type: Any
    side: Any = None


def _words(name: str) -> tuple[str, ...]:
    """In lower case, in the order of the alphabet, the singular of each."""
    words = (_SPELLINGS.get(word, word) for word in map(str.lower, _WORD.findall(name)))
    return tuple(
        sorted(word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] not in "siu" else word for word in words)
    )


@cache
def _known() -> dict[tuple[str, ...], tuple[str, Any]]:
    """Category and code by the words of the code's keyword and of its meaning."""
    codes = needed("pydicom.sr.codedict", "dicom").codes
    found: dict[tuple[str, ...], tuple[str, Any]] = {}
    for context, category in _CONTEXTS.items():
        concepts = getattr(codes, context)
        for keyword in concepts.dir():
            code = getattr(concepts, keyword)
            for name in (keyword, code.meaning):
                found.setdefault(_words(name), (category, code))
    for other, name in _SYNONYMS.items():
        found.setdefault(_words(other), found[_words(name)])
    return found


def codes_of(name: str) -> SegmentCodes:
    """The codes of an object's name, such as ``liver``, ``kidney_left``, ``L3 vertebra`` or ``tumour 2``."""
    codes = needed("pydicom.sr.codedict", "dicom").codes
    words = _words(name)
    sides = {_SIDES[word] for word in words if word in _SIDES}
    without_side = tuple(word for word in words if word not in _SIDES)
    for side, chosen in (("", words), (next(iter(sides)) if len(sides) == 1 else "", without_side)):
        for spelled in (chosen, tuple(word for word in chosen if not word.isdigit())):
            if spelled in _known():
                category, code = _known()[spelled]
                return SegmentCodes(
                    getattr(codes.cid7150, category), code, getattr(codes.cid244, side) if side else None
                )
    return SegmentCodes(codes.SCT.Tissue, codes.SCT.Tissue)
