"""A whole case: cancelled, corrected, and with the masks of single objects."""

import threading

import numpy as np
import pytest
from litemedsam.engine.case import checked_case
from litemedsam.engine.inference.automatic_prompts import AutomaticPrompts
from litemedsam.engine.inference.case_segmenter import CaseSegmenter
from litemedsam.engine.inference.mask_sinks import SeparateMasks
from litemedsam.engine.inference.network import Network
from litemedsam.engine.inference.prompt import Correction
from litemedsam.engine.inference.protocols import CORRECTED
from litemedsam.engine.inference.streams import Streams

from litemedsam import LiteMedSamError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 40, 48), np.uint8)
FLAT = checked_case("flat", PIXELS[2], np.array([[4, 5, 30, 28], [6, 7, 44, 36], [2, 2, 20, 39]]))
DEEP = checked_case("deep", PIXELS, np.array([[4, 5, 0, 30, 28, 4], [6, 7, 1, 44, 36, 3]]))


@pytest.fixture(scope="module")
def segmenter(correctable_bundle):
    network = Network.load(correctable_bundle, "onnxruntime", "f32", 2)
    network.prepare(Streams(2, 2))
    prompts = AutomaticPrompts(0, network.info.first_prompts, network.info.scribble)
    yield CaseSegmenter(network, CORRECTED, prompts, 10_000_000, 2)
    network.close()


@pytest.mark.parametrize("case", [FLAT, DEEP], ids=["flat", "deep"])
def test_areas_and_separate_masks_hold_what_the_label_map_hides(segmenter, case):
    masks = SeparateMasks()
    result = segmenter.segment(case, masks=masks)
    apart = [masks.mask(number, case.grid) for number in range(1, len(case.boxes) + 1)]
    np.testing.assert_array_equal(result.areas, [mask.sum() for mask in apart])
    expected = np.zeros(case.grid, np.uint8)
    for number, mask in enumerate(apart, start=1):
        expected[mask] = number
    np.testing.assert_array_equal(result.labels, expected)
    assert result.labels.dtype == np.uint8
    assert result.voxels[0] < result.areas[0]


@pytest.mark.parametrize("case", [FLAT, DEEP], ids=["flat", "deep"])
def test_progress_may_cancel_and_no_thread_is_left(segmenter, case):
    before = threading.active_count()

    def cancel(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segmenter.segment(case, cancel)
    assert threading.active_count() == before


@pytest.mark.parametrize("case", [FLAT, DEEP], ids=["flat", "deep"])
def test_a_correction_changes_its_object_alone(segmenter, case):
    plain, corrected = SeparateMasks(), SeparateMasks()
    segmenter.segment(case, masks=plain)
    z = 2 if case.is_volume else 0
    before = plain.mask(1, case.grid)
    y, x = np.argwhere(before.reshape(-1, 40, 48)[z])[7]
    step = Correction(remove=np.array([[x, y]]), slice_index=z)
    result = segmenter.segment(case, masks=corrected, corrections={1: [step], 2: []})
    after = corrected.mask(1, case.grid)
    assert not after.reshape(-1, 40, 48)[z, y, x]
    assert result.areas[0] == after.sum() != before.sum()
    for number in range(2, len(case.boxes) + 1):
        np.testing.assert_array_equal(corrected.mask(number, case.grid), plain.mask(number, case.grid))


def test_a_correction_beside_the_box_s_slices_is_refused(segmenter):
    step = Correction(add=np.array([[10.0, 10]]), slice_index=4)
    with pytest.raises(LiteMedSamError, match="leaves out"):
        segmenter.segment(DEEP, corrections={2: [step]})
