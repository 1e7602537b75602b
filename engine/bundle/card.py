"""A bundle's accuracy card: how well each precision agrees with f32, kept in the encoder's metadata as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ...errors import LiteMedSamError
from .info import ENCODER
from .onnx_metadata import read_metadata

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
