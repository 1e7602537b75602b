"""An accuracy card as text: a written card is read back, and anything else is refused."""

from dataclasses import replace

import pytest
from litemedsam.engine.bundle.card import card_from_json, card_to_json
from litemedsam.engine.bundle.info import ENCODER
from sample_cards import BAD_IN_ONE, GOOD

from litemedsam.errors import LiteMedSamError


def test_a_card_travels_as_text(tmp_path):
    card = {"bf16": GOOD, "int8": BAD_IN_ONE}
    assert card_from_json(tmp_path, card_to_json(card)) == card


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"bf16": 3}', '{"bf16": {}}', card_to_json({"bf16": replace(GOOD, mean_dsc={"CT": 1.5})}),
     card_to_json({"bf16": replace(GOOD, mean_dsc={})})],
)  # fmt: skip
def test_a_damaged_card_is_refused(tmp_path, text):
    with pytest.raises(LiteMedSamError, match="accuracy card cannot be read"):
        card_from_json(tmp_path / ENCODER, text)


def test_what_loses_more_than_half_a_point_is_beyond_the_gate():
    assert GOOD.beyond_the_gate() == {}
    assert BAD_IN_ONE.beyond_the_gate() == {"CT": 0.9949}
