"""The model card's picture can be drawn."""

import runpy

import numpy as np
from places import ROOT

from litemedsam import Predictor


def test_the_worst_object_of_a_family_is_drawn(own_bundle):
    script = runpy.run_path(str(ROOT / "examples" / "make_failures.py"))
    with Predictor(own_bundle) as predictor:
        figure, picture = script["worst_of"](predictor, "cells", 0)
    assert 0 <= figure <= 1
    assert picture.shape == (276, 256, 3)
    assert len(np.unique(picture)) > 2
