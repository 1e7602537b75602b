"""In which precision a bundle runs: what its accuracy card vouches for and this processor computes natively."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ...errors import LiteMedSamError
from .info import ENCODER, QUANTISED_ENCODER
from .onnx_metadata import read_metadata

EXACT = "f32"
AUTOMATIC = "auto"
PRECISIONS = (EXACT, "bf16", "int8")
# Fastest first, as measured with OpenVINO; see benchmarks/README.md.
FASTEST_FIRST = ("int8", "bf16")
# Five thousandths of DSC, half a point of a hundred, may be lost against f32 in any modality.
LARGEST_LOSS = 0.005
CARD_KEY = "litemedsam.accuracy"


@dataclass(frozen=True)
class Agreement:
    """How well the masks of a precision agree with those of f32, on images that it was not calibrated with.

    Attributes
    ----------
    floats : str
        In which precision floats were computed: ``f32`` or ``bf16``. Beside an int8 encoder there are some, too.
    emulated : bool
        Whether the processor that measured it computes that precision by way of another.
    measured_with : str
        The back end and its version.
    cases : mapping of str to int
        How many cases were compared, by modality.
    mean_dsc : mapping of str to float
        By modality: DSC of masks against those of f32, mean over the cases of their means over objects.
    worst_dsc : float
        The lowest mean of a case.
    worst_case : str
        Its name.
    """

    floats: str
    emulated: bool
    measured_with: str
    cases: Mapping[str, int]
    mean_dsc: Mapping[str, float]
    worst_dsc: float
    worst_case: str

    def beyond_the_gate(self) -> dict[str, float]:
        """The modalities that lose more than `LARGEST_LOSS`, with their DSC."""
        return {name: dsc for name, dsc in self.mean_dsc.items() if not dsc >= 1 - LARGEST_LOSS}


Card = Mapping[str, Agreement]
"""Agreements by precision."""


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


def card_to_json(card: Card) -> str:
    """A card as text, for an ONNX file's metadata."""
    return json.dumps({name: asdict(agreement) for name, agreement in card.items()}, sort_keys=True)


def card_from_json(path: Path, text: str) -> dict[str, Agreement]:
    """Read what `card_to_json` made.

    Parameters
    ----------
    path : Path
        The file, for messages.
    text : str

    Raises
    ------
    LiteMedSamError
        When the text is something else.
    """
    names = {field.name for field in fields(Agreement)}
    try:
        entries = json.loads(text)
        card = {name: Agreement(**{key: entry[key] for key in names}) for name, entry in entries.items()}
        for agreement in card.values():
            if not agreement.mean_dsc:
                raise ValueError("no modality was measured")
            for dsc in (*agreement.mean_dsc.values(), agreement.worst_dsc):
                if not 0 <= dsc <= 1:
                    raise ValueError(f"a DSC of {dsc}")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LiteMedSamError(
            f"{path}: its accuracy card cannot be read ({error})", "export the bundle again or ask for --precision f32"
        ) from error
    return card


def read_card(bundle: Path) -> dict[str, Agreement]:
    """The card of a bundle, empty where it has none.

    Raises
    ------
    LiteMedSamError
        When the encoder or its card cannot be read.
    """
    text = read_metadata(bundle / ENCODER).get(CARD_KEY)
    return {} if text is None else card_from_json(bundle / ENCODER, text)


def _objection(precision: str, card: Card, native: Collection[str], quantised: bool) -> str:
    """Why a precision is not taken; empty where nothing speaks against it."""
    if precision not in native:
        return "is not faster on this processor with this back end"
    if precision == "int8" and not quantised:
        return "is not in the bundle"
    agreement = card.get(precision)
    if agreement is None:
        return "has no accuracy card"
    if agreement.floats == EXACT and floats_beside(precision, native) != EXACT:
        return "was measured beside f32, not bf16"
    losing = agreement.beyond_the_gate()
    if losing:
        worst = min(losing, key=losing.get)
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
    objections = []
    for precision in FASTEST_FIRST:
        objection = _objection(precision, card, native, quantised)
        if not objection:
            lost = 100 * (1 - min(card[precision].mean_dsc.values()))
            found = f"{precision} loses at most {lost:.2f} DSC points in any modality of its accuracy card"
            return Choice(precision, "; ".join([*objections, found]))
        objections.append(f"{precision} {objection}")
    return Choice(EXACT, "; ".join(objections))


def floats_beside(precision: str, native: Collection[str]) -> str:
    """In which precision a bundle's floats are computed, ``f32`` or ``bf16``; an int8 encoder has some, too."""
    if precision == "int8":
        return "bf16" if "bf16" in native else EXACT
    return precision


def encoder_file(bundle: Path, precision: str) -> Path:
    """The encoder that a precision uses; the decoder is the same for all.

    Raises
    ------
    LiteMedSamError
        When the bundle has no int8 encoder and that is what it takes.
    """
    if precision != "int8":
        return bundle / ENCODER
    quantised = bundle / QUANTISED_ENCODER
    if not quantised.is_file():
        raise LiteMedSamError(
            f"{bundle}: has no int8 encoder", "use another --precision, or export with --int8 --calibration FOLDER"
        )
    return quantised


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
