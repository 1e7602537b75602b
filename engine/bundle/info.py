"""The metadata of a bundle. A bundle is a folder of ONNX graphs, and each graph carries the metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from ...errors import LiteMedSamError

FORMAT_VERSION = 1
ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
QUANTISED_ENCODER = "encoder.int8.onnx"
POINTS, LABELS = "points", "labels"
_PREFIX = "litemedsam."
PRECISION_KEY = _PREFIX + "precision"
_NUMBER = re.compile(r"[0-9]{1,9}")
_FRAMES = 16, 4096


@dataclass(frozen=True)
class BundleInfo:
    """The metadata that both graphs of a bundle carry.

    Attributes
    ----------
    model : str
        The network's name.
    frame : int
        Side of its square input, in pixels.
    prompts : tuple of str
        The decoder's prompt inputs: some of ``boxes``, ``points``, ``labels``, ``scribbles``. Points with labels
        correct a mask; points without labels lie on the object and come with its box.
    embedding : tuple of str
        The encoder's outputs, which are the decoder's image inputs.
    weights_sha256 : str
        SHA-256 of the checkpoint file.
    precision : str
        ``f32``, or ``int8`` for a quantised graph.
    storage : str
        The precision of the stored weights: ``single`` or ``half``.
    description : str
        One line on the origin and the quality of the weights.
    tools : str
        Versions of the libraries that wrote the bundle.
    published_protocol : str
        The model's published pipeline, a key of `inference.protocols.PUBLISHED`. Older bundles lack this entry.
    scribble : str
        The scribble that is drawn from a box alone, a key of `inference.automatic_prompts.SCRIBBLES`. Older bundles
        lack this entry and use the published stroke.
    passage : str
        The way from slice to slice, a key of `inference.protocols.PASSAGES`. If it is empty, as in older bundles, the
        scribble decides.
    """

    model: str
    frame: int
    prompts: tuple[str, ...]
    embedding: tuple[str, ...]
    weights_sha256: str
    precision: str
    storage: str
    description: str
    tools: str
    published_protocol: str = "swin_litemedsam"
    scribble: str = "stroke"
    passage: str = ""

    @property
    def takes_corrections(self) -> bool:
        """Whether the weights learnt to correct a mask: by points that add or remove, and the mask before."""
        return LABELS in self.prompts

    @property
    def first_prompts(self) -> tuple[str, ...]:
        """The prompts that may come with a box, before any correction."""
        left_out = (POINTS, LABELS) if self.takes_corrections else ()
        return tuple(kind for kind in self.prompts if kind not in left_out)

    def to_metadata(self) -> dict[str, str]:
        """Write the metadata as strings, for an ONNX file's ``metadata_props``."""
        entries = {_PREFIX + "format_version": str(FORMAT_VERSION)}
        for field in fields(self):
            value = getattr(self, field.name)
            if value == field.default == "":
                # Older versions wrote no such entry; so the same weights still give the same bytes.
                continue
            entries[_PREFIX + field.name] = ",".join(value) if isinstance(value, tuple) else str(value)
        return entries

    @classmethod
    def from_metadata(cls, path: Path, metadata: Mapping[str, str]) -> BundleInfo:
        """Read the strings that `to_metadata` wrote.

        Parameters
        ----------
        path : Path
            The file, for messages.
        metadata : mapping of str to str

        Raises
        ------
        LiteMedSamError
            When the metadata is missing, has another format version, or lacks an entry.
        """
        remedy = "export the checkpoint again with this version's litemedsam-export"
        version = metadata.get(_PREFIX + "format_version")
        if version is None:
            raise LiteMedSamError(f"{path}: not a graph of a litemedsam bundle (no format version)", remedy)
        if version != str(FORMAT_VERSION):
            raise LiteMedSamError(f"{path}: bundle format version {version}, expected {FORMAT_VERSION}", remedy)
        types = get_type_hints(cls)
        values: dict[str, Any] = {}
        for field in fields(cls):
            text = metadata.get(_PREFIX + field.name)
            if text is None and field.default is not MISSING:
                continue
            if text is None:
                raise LiteMedSamError(f"{path}: the metadata lack {field.name}", remedy)
            if types[field.name] is int:
                if not _NUMBER.fullmatch(text):
                    raise LiteMedSamError(f"{path}: metadata {field.name} is {text[:20]!r}, expected a number", remedy)
                values[field.name] = int(text)
            else:
                values[field.name] = text if types[field.name] is str else tuple(text.split(","))
        info = cls(**values)
        if not _FRAMES[0] <= info.frame <= _FRAMES[1]:
            raise LiteMedSamError(f"{path}: a frame of {info.frame} pixels, expected 16 to 4096", remedy)
        return info
