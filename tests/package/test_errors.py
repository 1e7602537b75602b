"""Messages are one line that every stream can write."""

import os

from litemedsam import LiteMedSamError
from litemedsam.errors import readable


def test_a_message_is_one_line_with_its_remedy():
    assert str(LiteMedSamError("a\nb", "c\t d")) == "a b; c d"


def test_bytes_that_are_not_utf8_are_escaped():
    name = os.fsdecode(b"caf\xe9.png")
    assert readable(name) == r"caf\xe9.png"
    assert str(LiteMedSamError(f"{name}: damaged")) == r"caf\xe9.png: damaged"


def test_other_halves_of_characters_are_escaped_and_whole_ones_are_not():
    assert readable("\ud83d and é 🫀") == r"\ud83d and é 🫀"
    readable("\udfff").encode()
