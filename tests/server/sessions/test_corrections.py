"""Corrections in the forms of the API, of the prompts' file and of the engine."""

import numpy as np
import pytest
from litemedsam.engine.objects.objects import Stroke
from litemedsam.engine.objects.user_prompts import strokes_on
from litemedsam.server.sessions.corrections import as_arguments, as_json, as_prompt, read_corrections
from litemedsam.server.sessions.objects import Correction

from litemedsam import LiteMedSamError

GIVEN = [
    {"add": [3, 4, 1]},
    {"remove": [5, 6, 1]},
    {"add_stroke": [[3, 4, 1], [9, 4, 1]]},
    {"remove_stroke": [[3, 9, 2], [9, 9, 2], [9, 12, 2]]},
]
MADE = (
    Correction(True, ((3, 4, 1),)),
    Correction(False, ((5, 6, 1),)),
    Correction(True, ((3, 4, 1), (9, 4, 1))),
    Correction(False, ((3, 9, 2), (9, 9, 2), (9, 12, 2))),
)


def test_from_the_api_and_back():
    assert read_corrections(GIVEN, tuple) == MADE
    assert [as_json(made) for made in MADE] == GIVEN


def test_a_place_that_is_refused_refuses_all():
    def nowhere(place):
        raise LiteMedSamError("nowhere")

    with pytest.raises(LiteMedSamError, match="nowhere"):
        read_corrections(GIVEN, nowhere)


def test_in_a_file_places_are_those_of_the_stored_voxels():
    found = [as_prompt(made, lambda place: [90 - place[0], *place[1:]]) for made in MADE]
    assert found[:3] == [
        {"add": [[87, 4, 1]]},
        {"remove": [[85, 6, 1]]},
        {"add_strokes": [[[87, 4, 1], [81, 4, 1]]]},
    ]


def test_the_engine_gets_points_or_the_pixels_of_a_stroke():
    assert as_arguments(MADE[0], (20, 30)) == {"add": [(3, 4)]}
    (kind, page), = as_arguments(MADE[3], (20, 30)).items()  # fmt: skip
    assert kind == "remove_stroke"
    expected = strokes_on((20, 30), [Stroke(np.array([[3.0, 9], [9, 9], [9, 12]]), 3.0)])
    np.testing.assert_array_equal(page, expected)
