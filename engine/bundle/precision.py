"""Chooses a bundle's precision: the fastest that its accuracy card allows and this processor computes natively."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ...errors import LiteMedSamError
from .card import Card, read_card
from .info import ENCODER, QUANTISED_ENCODER


@dataclass(frozen=True)
class Precision:
    """A precision that a bundle's graphs can be computed in.

    Attributes
    ----------
    name : str
        Its name in ``--precision`` and in the accuracy card.
    encoder : str
        The encoder's file; the decoder is the same for all.
    floats : tuple of str
        Precisions for floats, the fastest first. An int8 encoder computes some floats, too.
    """

    name: str
    encoder: str
    floats: tuple[str, ...]

    @property
    def quantised(self) -> bool:
        """Whether it needs its own encoder file."""
        return self.encoder != ENCODER

    def floats_with(self, native: Collection[str]) -> str:
        """The first of `floats` that a processor computes natively; the last if there is none."""
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
"""The names of the precisions that may lose accuracy, fastest first."""


@dataclass(frozen=True)
class Choice:
    """A precision and the reason for it.

    Attributes
    ----------
    precision : str
        One of `PRECISIONS`.
    reason : str
        As the report gives it.
    """

    precision: str
    reason: str

    def text(self) -> str:
        """Both in one line."""
        return f"{self.precision} ({self.reason})"


def _objection(precision: str, card: Card, native: Collection[str], quantised: bool) -> str:
    """The reason against a precision; empty if there is none."""
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
    """Choose the fastest precision that the card allows in every modality; f32 if there is none.

    Parameters
    ----------
    card : mapping of str to Agreement
    native : collection of str
        The precisions that save time with this back end on this processor.
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
    """The precision of a bundle's floats, ``f32`` or ``bf16``; see `Precision.floats_with`."""
    return KNOWN[precision].floats_with(native)


def available(bundle: Path, native: Collection[str]) -> list[str]:
    """The names of a bundle's precisions that a processor computes natively, slowest first."""
    return [name for name in PRECISIONS if name in native and (bundle / KNOWN[name].encoder).is_file()]


def encoder_file(bundle: Path, precision: str) -> Path:
    """The encoder that a precision uses; the decoder is the same for all.

    Raises
    ------
    LiteMedSamError
        When the precision needs an int8 encoder and the bundle has none.
    """
    path = bundle / KNOWN[precision].encoder
    if KNOWN[precision].quantised and not path.is_file():
        raise LiteMedSamError(
            f"{bundle}: has no {precision} encoder",
            "use another --precision, or export with --int8 --calibration FOLDER",
        )
    return path


def resolve(bundle: Path, precision: str, native: Collection[str]) -> Choice:
    """Turn a requested precision into the one that a bundle runs in.

    Parameters
    ----------
    bundle : Path
    precision : str
        One of `PRECISIONS`, which is used as it is, or ``auto``.
    native : collection of str
        See `choose`.

    Returns
    -------
    Choice

    Raises
    ------
    LiteMedSamError
        When the precision is unknown, or the bundle cannot be read.
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
