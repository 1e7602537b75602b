"""What all workers of a cluster must share, so that each gives the same result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import LiteMedSamError
from ...bundle.precision import AUTOMATIC, EXACT, Choice, floats_beside, resolve

if TYPE_CHECKING:
    from ...settings import EngineSettings


@dataclass(frozen=True)
class Abilities:
    """The versions, weights and processor of a worker.

    Attributes
    ----------
    host : str
    version : str
        Of this package.
    weights : str
        SHA-256 of the bundle's weights.
    native : frozenset of str
        Precisions that its processor computes natively.
    problem : str
        Why it cannot take cases; empty if it can.
    """

    host: str
    version: str = ""
    weights: str = ""
    native: frozenset[str] = frozenset()
    problem: str = ""

    @classmethod
    def of_process(cls, settings: EngineSettings, output: Path) -> Abilities:
        """Of this process.

        Parameters
        ----------
        settings : EngineSettings
        output : Path
            The folder for results. It exists on the machine that started the run.
        """
        import socket

        from .... import __version__
        from ...backends.registry import native_precisions
        from ...bundle.info import ENCODER
        from ...bundle.onnx_metadata import read_metadata
        from ...bundle.packaged import bundle_folder

        host = socket.gethostname()
        try:
            from ...bundle.info import BundleInfo

            path = bundle_folder(settings.bundle) / ENCODER
            weights = BundleInfo.from_metadata(path, read_metadata(path)).weights_sha256
            native = native_precisions(settings.backend)
        except LiteMedSamError as error:
            return cls(host, __version__, problem=str(error))
        problem = "" if output.is_dir() else f"does not see the folder {output}; all machines must share it"
        return cls(host, __version__, weights, frozenset(native), problem)

    def computed(self, precision: str) -> tuple[str, bool]:
        """For a bundle's precision, the precision of its floats on this processor, and whether it is native."""
        floats = floats_beside(precision, self.native)
        return floats, floats == EXACT or floats in self.native


@dataclass(frozen=True)
class Agreement:
    """The settings that all workers of a run follow; can be sent to them.

    Attributes
    ----------
    choice : Choice
        The precision and the reason for it.
    computed : tuple of str and bool
        See `Abilities.computed`.
    version, weights : str
        See `Abilities`.
    """

    choice: Choice
    computed: tuple[str, bool]
    version: str
    weights: str

    def objection(self, worker: Abilities) -> str:
        """Why a worker must not take cases; empty if it may."""
        if worker.problem:
            return worker.problem
        if worker.version != self.version:
            return f"has litemedsam {worker.version}, expected {self.version}"
        if worker.weights != self.weights:
            return "has another model of this name"
        if worker.computed(self.choice.precision) != self.computed:
            return f"computes {self.choice.precision} unlike the others; give --precision {EXACT}"
        return ""

    @classmethod
    def between(
        cls, workers: Mapping[str, Abilities], own: Abilities, settings: EngineSettings, bundle: Path
    ) -> tuple[Agreement, tuple[str, ...]]:
        """The agreement of some workers, and notes on it for the user.

        Parameters
        ----------
        workers : mapping of str to Abilities
            By address, at least one.
        own : Abilities
            Of the process that started the run.
        settings : EngineSettings
            The precision ``auto`` becomes the fastest that all processors compute alike.
        bundle : Path

        Raises
        ------
        LiteMedSamError
            When no worker can work on the cases, or their processors compute the wanted precision differently.
        """
        # All processors compute f32 alike, so only the precision remains to be chosen.
        exact = cls(Choice(EXACT, ""), (EXACT, True), own.version, own.weights)
        fit = [worker for worker in workers.values() if not exact.objection(worker)]
        if not fit:
            address, worker = next(iter(workers.items()))
            raise LiteMedSamError(
                f"no worker can work on the cases: the one at {address} on {worker.host} {exact.objection(worker)}",
                "give all workers the same litemedsam, models and folders",
            )
        choices = {worker.host: resolve(bundle, settings.precision, worker.native) for worker in fit}
        common = frozenset.intersection(*(worker.native for worker in fit))
        choice = resolve(bundle, settings.precision, common)
        notes: tuple[str, ...] = ()
        unlike = len({worker.computed(choice.precision) for worker in fit}) > 1
        if unlike and settings.precision != AUTOMATIC:
            raise LiteMedSamError(
                f"the workers' processors compute {choice.precision} differently", f"give --precision {EXACT}"
            )
        if unlike:
            choice = Choice(EXACT, "all compute it alike")
        if len({found.precision for found in choices.values()}) > 1 or unlike:
            listed = ", ".join(f"{host} {found.precision}" for host, found in sorted(choices.items()))
            notes = (f"the workers' processors differ (fastest: {listed}), so all compute in {choice.precision}",)
            choice = replace(choice, reason=notes[0])
        return replace(exact, choice=choice, computed=fit[0].computed(choice.precision)), notes
