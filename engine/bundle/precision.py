"""In which precision a bundle runs: what its accuracy card vouches for and this processor computes natively."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ...errors import LiteMedSamError
from .card import Card, read_card
from .info import ENCODER, QUANTISED_ENCODER


@dataclass(frozen=True)
class Precision:
    """What a bundle's graphs are computed in.

    Attributes
    ----------
    name : str
        As ``--precision`` takes it and the accuracy card names it.
    encoder : str
        The encoder's file; the decoder is the same for all.
    floats : tuple of str
        In which precision floats may be computed, the fastest first. An int8 encoder has some, too.
    """

    name: str
    encoder: str
    floats: tuple[str, ...]

    @property
    def quantised(self) -> bool:
        """Whether it takes an encoder of its own."""
        return self.encoder != ENCODER

    def floats_with(self, native: Collection[str]) -> str:
        """The first of `floats` that a processor computes natively, the last where there is none."""
        return next((floats for floats in self.floats if floats in native), self.floats[-1])


EXACT = "f32"
AUTOMATIC = "auto"
KNOWN = {
    precision.name: precision
    for precision in (
        Precision(EXACT, ENCODER, (EXACT,)),
        Precision("bf16", ENCODER, ("bf16",)),
        Precision("int8", QUANTISED_ENCODER, ("bf16", EXACT)),
    )
}
"""The precisions by name, slowest first, as measured with OpenVINO; see benchmarks/README.md."""
PRECISIONS = tuple(KNOWN)
FASTEST_FIRST = PRECISIONS[:0:-1]
"""The names of those that may lose accuracy."""


@dataclass(frozen=True)
class Choice:
    """A precision and why it was taken.

    Attributes
    ----------
    precision : str
        One of `PRECISIONS`.
    reason : str
        For the report.
    """

    precision: str
    reason: str

    def text(self) -> str:
        """Both in one line."""
        return f"{self.precision} ({self.reason})"


def _objection(precision: str, card: Card, native: Collection[str], quantised: bool) -> str:
    """Why a precision is not taken; empty where nothing speaks against it."""
    if precision not in native:
        return "is not faster on this processor with this back end"
    if KNOWN[precision].quantised and not quantised:
        return "is not in the bundle"
    agreement = card.get(precision)
    if agreement is None:
        return "has no accuracy card"
    if agreement.floats == EXACT and floats_beside(precision, native) != EXACT:
        return "was measured beside f32, not bf16"
    losing = agreement.beyond_the_gate()
    if losing:
        worst = min(losing, key=losing.__getitem__)
        return f"loses {100 * (1 - losing[worst]):.2f} DSC points in {worst}"
    return ""


def choose(card: Card, native: Collection[str], quantised: bool) -> Choice:
    """The fastest precision that the card vouches for in every modality, f32 where there is none.

    Parameters
    ----------
    card : mapping of str to Agreement
    native : collection of str
        The precisions in which the back end gains time on this processor.
    quantised : bool
        Whether the bundle has an int8 encoder.

    Returns
    -------
    Choice
    """
    objections: list[str] = []
    for precision in FASTEST_FIRST:
        objection = _objection(precision, card, native, quantised)
        if not objection:
            lost = 100 * (1 - min(card[precision].mean_dsc.values()))
            found = f"{precision} loses at most {lost:.2f} DSC points in any modality of its accuracy card"
            return Choice(precision, "; ".join([*objections, found]))
        objections.append(f"{precision} {objection}")
    return Choice(EXACT, "; ".join(objections))


def floats_beside(precision: str, native: Collection[str]) -> str:
    """In which precision a bundle's floats are computed, ``f32`` or ``bf16``; see `Precision.floats_with`."""
    return KNOWN[precision].floats_with(native)


def available(bundle: Path, native: Collection[str]) -> list[str]:
    """The names of a bundle's precisions that a processor computes natively, slowest first."""
    return [name for name in PRECISIONS if name in native and (bundle / KNOWN[name].encoder).is_file()]


def encoder_file(bundle: Path, precision: str) -> Path:
    """The encoder that a precision uses; the decoder is the same for all.

    Raises
    ------
    LiteMedSamError
        When the bundle has no int8 encoder and that is what it takes.
    """
    path = bundle / KNOWN[precision].encoder
    if KNOWN[precision].quantised and not path.is_file():
        raise LiteMedSamError(
            f"{bundle}: has no {precision} encoder",
            "use another --precision, or export with --int8 --calibration FOLDER",
        )
    return path


def resolve(bundle: Path, precision: str, native: Collection[str]) -> Choice:
    """What to compute a bundle in.

    Parameters
    ----------
    bundle : Path
    precision : str
        One of `PRECISIONS`, which is taken as it is, or ``auto``.
    native : collection of str
        See `choose`.

    Returns
    -------
    Choice

    Raises
    ------
    LiteMedSamError
        When there is no such precision, or the bundle cannot be read.
    """
    if precision in PRECISIONS:
        return Choice(precision, "was asked for")
    if precision != AUTOMATIC:
        raise LiteMedSamError(
            f"unknown precision {precision!r}; expected one of: {', '.join((AUTOMATIC, *PRECISIONS))}"
        )
    if not (bundle / ENCODER).is_file():
        raise LiteMedSamError(f"{bundle}: no such bundle folder", "make one with litemedsam-export")
    return choose(read_card(bundle), native, (bundle / QUANTISED_ENCODER).is_file())
