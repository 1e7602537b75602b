"""The settings of a predictor."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import LiteMedSamError
from .system.resources import available_processors

# Forty slices at 12.6 MB each.
DEFAULT_CACHE_MB = 512


@dataclass(frozen=True)
class EngineSettings:
    """Everything that decides masks and speed, beside the case; can be sent to other processes.

    Attributes
    ----------
    bundle : Path or None
        A folder made by ``litemedsam-export``; the package's default model when None.
    backend : str
        ``openvino`` or ``onnxruntime``.
    precision : str
        ``f32``, ``bf16``, ``int8`` or ``auto``, see `litemedsam.engine.bundle.precision`.
    protocol : str
        ``corrected``, or ``published`` for the treatment of boxes and volumes by the model's published script.
    threads : int or None
        At least 1; as many as the process may use when None.
    seed : int
        Of the automatic points and scribbles, at least 0.
    cache_mb : float
        Budget for embeddings in megabytes, at least 0 and finite.

    Raises
    ------
    LiteMedSamError
        When `threads`, `seed` or `cache_mb` is out of its range. Names are checked where they are looked up.
    """

    bundle: Path | None = None
    backend: str = "openvino"
    precision: str = "auto"
    protocol: str = "corrected"
    threads: int | None = None
    seed: int = 0
    cache_mb: float = DEFAULT_CACHE_MB

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise LiteMedSamError(f"threads is {self.threads}, expected at least 1")
        if self.seed < 0:
            raise LiteMedSamError(f"seed is {self.seed}, expected at least 0")
        if not (self.cache_mb >= 0 and math.isfinite(self.cache_mb)):
            raise LiteMedSamError(f"cache_mb is {self.cache_mb}, expected a finite number of at least 0")

    @property
    def processors(self) -> int:
        """The number of threads to compute with, at least 1."""
        return self.threads or available_processors()

    def shared_by(self, workers: int) -> EngineSettings:
        """The settings of each worker, when several divide the processors of this machine.

        Parameters
        ----------
        workers : int
            At least 1. If `threads` is set, each worker keeps that number.
        """
        return replace(self, threads=self.threads or max(available_processors() // workers, 1))
