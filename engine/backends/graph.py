"""What every runtime offers: one loaded graph that runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np


class Graph(Protocol):
    """One loaded graph.

    Attributes
    ----------
    name : str
        The back end's name.
    version : str
        The runtime's version.
    metadata : dict of str to str
        What the graph's file carries.
    """

    name: str
    version: str
    metadata: dict[str, str]

    def __init__(self, path: Path, precision: str, threads: int, streams: int = 1): ...

    @staticmethod
    def native_precisions() -> frozenset[str]:
        """The precisions in which the back end gains time on this processor, ``f32`` among them."""
        ...

    @staticmethod
    def check_precision(precision: str) -> None:
        """Refuse a precision that the back end does not compute in, by `LiteMedSamError`."""
        ...

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute all outputs by name; the arrays are the caller's own. Several threads may call it at once."""
        ...

    def close(self) -> None:
        """Free the runtime's memory; the graph cannot be run afterwards."""
        ...
