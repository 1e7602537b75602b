"""The settings of a predictor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path

from ..errors import LiteMedSamError
from .system.resources import available_processors

# More are of no use, and the runtimes take no more than some thousands.
MOST_THREADS = 1024
# A petabyte.
LARGEST_CACHE_MB = 1_000_000_000
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
        1 to 1024; as many as the process may use when None.
    seed : int
        Of the automatic points and scribbles, at least 0.
    cache_mb : float
        Budget for embeddings in megabytes, 0 to 10⁹.

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
        if self.threads is not None:
            _check_whole("threads", self.threads, 1, MOST_THREADS)
        _check_whole("seed", self.seed, 0, None)
        number = isinstance(self.cache_mb, Real) and not isinstance(self.cache_mb, bool)
        # NaN fails this as well.
        if not (number and 0 <= self.cache_mb <= LARGEST_CACHE_MB):
            raise LiteMedSamError(f"cache_mb is {self.cache_mb!r}, expected a number from 0 to {LARGEST_CACHE_MB}")

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


def _check_whole(name: str, value: object, least: int, most: int | None) -> None:
    whole = int(value) if isinstance(value, Integral) and not isinstance(value, bool) else least - 1
    if whole < least or (most is not None and whole > most):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise LiteMedSamError(f"{name} is {value!r}, expected a whole number {span}")
