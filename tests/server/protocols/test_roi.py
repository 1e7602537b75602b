"""Regions of interest and clicks, whatever a client sends."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litemedsam.server.protocols.roi import Clicks, box_of

from litemedsam import LiteMedSamError

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def opened(module_client):
    """Functions' arguments: an open volume of 48 × 40 × 5 voxels, and an image of 48 × 40."""
    store = module_client.services.store
    return [store.get(module_client.opened(name)["id"]).opened for name in ("scan.nii.gz", "slice.png")]


def test_pairs_may_come_in_any_order_and_reach_over_the_edges(opened):
    volume, image = opened
    assert box_of(volume, [20, 10, -3, 7, 99, 2]) == (10, 0, 2, 20, 7, 4)
    assert box_of(volume, [10.4, 19.6, 5, 5, 1, 1]) == (10, 5, 1, 20, 5, 1)
    assert box_of(image, [30, 5, 10, 7]) == (10, 5, 30, 7)


@given(ANYTHING)
def test_anything_is_a_box_inside_or_refused(opened, value):
    for scan, size in zip(opened, ((48, 40, 5), (48, 40)), strict=True):
        with suppress(LiteMedSamError):
            box = box_of(scan, value)
            low, high = np.array(box[: len(size)]), np.array(box[len(size) :])
            assert ((low >= 0) & (low <= high) & (high < size)).all()


@given(st.fixed_dictionaries({"foreground": ANYTHING, "background": ANYTHING}))
def test_anything_is_clicks_inside_or_refused(opened, value):
    for scan, size in zip(opened, ((48, 40, 5), (48, 40)), strict=True):
        with suppress(LiteMedSamError):
            points = Clicks.of(scan, value).points
            assert points is None or ((points > -0.6) & (points < np.array(size))).all()
