"""A bundle's accuracy card: the agreement of each precision with f32, stored as JSON in the encoder's metadata."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ...errors import LiteMedSamError
from .info import ENCODER
from .onnx_metadata import read_metadata

# The most DSC that a modality may lose against f32: five thousandths, half a point of a hundred.
LARGEST_LOSS = 0.005
CARD_KEY = "litemedsam.accuracy"


@dataclass(frozen=True)
class Agreement:
    """Agreement of a precision's masks with those of f32, on images that did not calibrate it.

    Attributes
    ----------
    floats : str
        The precision of floats: ``f32`` or ``bf16``. An int8 encoder computes some floats, too.
    emulated : bool
        Whether the measuring processor emulated that precision.
    measured_with : str
        The back end and its version.
    cases : mapping of str to int
        Number of compared cases, by modality.
    mean_dsc : mapping of str to float
        By modality: DSC against the masks of f32, averaged over the objects of a case, then over cases.
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
"""Agreement of each precision, by its name."""


def card_to_json(card: Card) -> str:
    """Write a card as text for an ONNX file's metadata."""
    return json.dumps({name: asdict(agreement) for name, agreement in card.items()}, sort_keys=True)


def card_from_json(path: Path, text: str) -> dict[str, Agreement]:
    """Read the text that `card_to_json` wrote.

    Parameters
    ----------
    path : Path
        The file, for messages.
    text : str

    Raises
    ------
    LiteMedSamError
        When the text is not a valid card.
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
    """The card of a bundle; empty if it has none.

    Raises
    ------
    LiteMedSamError
        When the encoder or its card cannot be read.
    """
    text = read_metadata(bundle / ENCODER).get(CARD_KEY)
    return {} if text is None else card_from_json(bundle / ENCODER, text)
