"""The interface that every runtime implements: one loaded graph."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np


def remedy(error: Exception) -> str:
    """What to do about an error of a runtime that loads or runs a graph."""
    text = str(error).lower()
    if "alloc" in text or "memory" in text:
        return "give it more memory, or use fewer --threads or --workers"
    return "export the bundle again"


class Graph(Protocol):
    """One loaded graph that runs.

    Attributes
    ----------
    name : str
        The back end's name.
    version : str
        The runtime's version.
    metadata : dict of str to str
        The metadata of the graph's file.
    """

    name: str
    version: str
    metadata: dict[str, str]

    def __init__(self, path: Path, precision: str, threads: int, streams: int = 1): ...

    @staticmethod
    def native_precisions() -> frozenset[str]:
        """The precisions that save time with this back end on this processor; always includes ``f32``."""
        ...

    @staticmethod
    def check_precision(precision: str) -> None:
        """Raise a `LiteMedSamError` for a precision that the back end does not compute in."""
        ...

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute all outputs, by name; the caller owns the arrays. Several threads may call it at once."""
        ...

    def close(self) -> None:
        """Free the runtime's memory; the graph cannot run afterwards."""
        ...
