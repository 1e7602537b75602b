"""The versions, the model and the settings of a run."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import __version__
from ...errors import LiteMedSamError
from ..backends.registry import runtime_version

if TYPE_CHECKING:
    from ..bundle.info import BundleInfo
    from ..bundle.precision import Choice
    from ..settings import EngineSettings


# If these settings differ, masks must not be combined.
_DECIDING = ("weights_sha256", "protocol", "seed")


@dataclass(frozen=True)
class RunInfo:
    """Everything except the cases that results and times depend on.

    Attributes
    ----------
    litemedsam, python, numpy, backend_version : str
        Versions.
    backend, machine, bundle : str
    default_model : bool
        Whether the bundle is the package's own.
    model, model_description, weights_sha256, weights_storage : str
        See `litemedsam.engine.bundle.info.BundleInfo`.
    precision, precision_reason : str
        See `litemedsam.engine.bundle.precision.Choice`.
    protocol : str
    threads, seed : int
    seconds_to_load : float
        From the start of loading to the first case.
    """

    litemedsam: str
    python: str
    numpy: str
    backend: str
    backend_version: str
    machine: str
    bundle: str
    default_model: bool
    model: str
    model_description: str
    weights_sha256: str
    weights_storage: str
    precision: str
    precision_reason: str
    protocol: str
    threads: int
    seed: int
    seconds_to_load: float

    @classmethod
    def of(
        cls, settings: EngineSettings, bundle: Path, info: BundleInfo, choice: Choice, seconds_to_load: float
    ) -> RunInfo:
        """The record of a run that opened a bundle with these settings."""
        return cls(
            litemedsam=__version__,
            python=platform.python_version(),
            numpy=np.__version__,
            backend=settings.backend,
            backend_version=runtime_version(settings.backend),
            machine=platform.machine(),
            bundle=str(bundle),
            default_model=settings.bundle is None,
            model=info.model,
            model_description=info.description,
            weights_sha256=info.weights_sha256,
            weights_storage=info.storage,
            precision=choice.precision,
            precision_reason=choice.reason,
            protocol=settings.protocol,
            threads=settings.processors,
            seed=settings.seed,
            seconds_to_load=round(seconds_to_load, 4),
        )

    @classmethod
    def of_parts(cls, parts: Sequence[RunInfo]) -> RunInfo:
        """The record of several runs that share a cohort.

        Parameters
        ----------
        parts : sequence of RunInfo
            At least one. Texts that differ are all listed; of numbers, the largest is taken.

        Raises
        ------
        LiteMedSamError
            When weights, protocol or seed differ.
        """
        kept: dict[str, Any] = {}
        for name in asdict(parts[0]):
            values = list(dict.fromkeys(getattr(part, name) for part in parts))
            if len(values) > 1 and name in _DECIDING:
                raise LiteMedSamError(
                    f"the parts have different {name}: {values[0]} and {values[1]}",
                    "segment all parts with the same options; --overwrite replaces results",
                )
            if isinstance(values[0], str):
                kept[name] = ", ".join(values)
            else:
                kept[name] = all(values) if isinstance(values[0], bool) else max(values)
        return cls(**kept)
