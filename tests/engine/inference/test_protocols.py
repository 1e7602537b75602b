"""Boxes, slices and propagation under both protocols."""

import numpy as np
import pytest
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.protocols import CORRECTED, PASSAGES, Passage, ellipsoid_width, protocol_named
from litemedsam.engine.inference.protocols import PUBLISHED as PIPELINES
from litemedsam.engine.inference.region import Region

from litemedsam.errors import LiteMedSamError

PUBLISHED = PIPELINES["swin_litemedsam"]
ELLIPSOID = PASSAGES["ellipsoid"]
PROTOCOLS = (*PASSAGES.values(), *PIPELINES.values())
FRAME = Frame.of(512, 400, 256)
# As wide on each slice as on the middle one.
CYLINDER = (1.0, 1.0)
EMPTY = Region(0, 0, np.zeros((0, 0), bool))


def test_in_a_frame_of_smaller_pixels_a_box_ends_with_its_last_pixel():
    frame = Frame.of(32, 64, 256)
    for box in ([3, 5, 10, 11], [0, 0, 0, 0], [60, 30, 63, 31]):
        x_min, y_min, x_max, y_max = CORRECTED.box_in_frame(np.array(box), frame).astype(int)
        mask = np.zeros((32, 64), np.uint8)
        mask[box[1] : box[3] + 1, box[0] : box[2] + 1] = 1
        rows, columns = np.nonzero(np.kron(mask, np.ones((4, 4))))
        assert (x_min, y_min, x_max, y_max) == (columns.min(), rows.min(), columns.max(), rows.max())
    # Ends on the far edge stay in the frame, and weights that learnt from scaled corners get these.
    assert CORRECTED.box_in_frame(np.array([3, 5, 64, 32]), frame).tolist() == [12, 20, 256, 128]
    assert PASSAGES["ellipsoid_corners"].box_in_frame(np.array([3, 5, 10, 11]), frame).tolist() == [12, 20, 40, 44]
    large = Frame.of(512, 512, 256)
    assert CORRECTED.box_in_frame(np.array([3, 5, 10, 11]), large).tolist() == [1.5, 2.5, 5, 5.5]


def test_boxes_are_scaled_or_truncated():
    box = np.array([101, 33, 257, 499])
    np.testing.assert_array_equal(CORRECTED.box_in_frame(box, FRAME), np.float32([50.5, 16.5, 128.5, 249.5]))
    np.testing.assert_array_equal(PUBLISHED.box_in_frame(box, FRAME), np.float32([50, 16, 128, 249]))


def test_closed_and_open_ranges():
    covered = CORRECTED.slices(2, 7)
    assert (covered.middle, list(covered.up), list(covered.down)) == (4, [5, 6, 7], [3, 2])
    covered = PUBLISHED.slices(2, 7)
    assert (covered.middle, list(covered.up), list(covered.down)) == (4, [5, 6], [3])
    covered = PUBLISHED.slices(0, 9)
    assert (covered.middle, list(covered.up), list(covered.down)) == (4, [5, 6, 7, 8], [3, 2, 1])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_single_slice_is_its_own_middle(protocol):
    covered = protocol.slices(5, 5)
    assert (covered.middle, list(covered.up), list(covered.down)) == (5, [], [])


def test_next_box_grows_by_three_and_stays_in_the_object_s_own_box():
    region = Region(100, 200, np.ones((20, 40), bool))
    box = CORRECTED.next_box(Passage(region, 1, np.array([0, 0, 399, 511]), True, CYLINDER), FRAME)
    np.testing.assert_array_equal(box, np.float32([97, 47, 122.5, 62.5]))
    corner = Region(0, 0, np.ones((512, 400), bool))
    box = CORRECTED.next_box(Passage(corner, 1, np.array([0, 0, 399, 511]), True, CYLINDER), FRAME)
    np.testing.assert_array_equal(box, np.float32([0, 0, 199.5, 255.5]))
    box = CORRECTED.next_box(Passage(region, 1, np.array([198, 0, 230, 120]), True, CYLINDER), FRAME)
    np.testing.assert_array_equal(box, np.float32([99, 47, 115, 60]))


def test_the_corrected_next_box_does_not_depend_on_the_number():
    region = Region(3, 5, np.ones((9, 9), bool))
    given = np.array([0, 0, 99, 99])
    boxes = [CORRECTED.next_box(Passage(region, number, given, True, CYLINDER), FRAME) for number in (1, 2, 255, 300)]
    assert all(np.array_equal(box, boxes[0]) for box in boxes)


def test_the_published_next_box_depends_on_the_number():
    frame = Frame.of(2048, 2048, 256)
    mask = np.ones((798, 798), bool)
    first = PUBLISHED.next_box(Passage(Region(1205, 1205, mask), 1, np.zeros(4), True, CYLINDER), frame)
    second = PUBLISHED.next_box(Passage(Region(1205, 1205, mask), 2, np.zeros(4), True, CYLINDER), frame)
    assert not np.array_equal(first, second)


def test_a_mask_ends_where_its_box_ends():
    everything = Region(0, 0, np.ones((512, 400), bool))
    assert CORRECTED.bounded(everything, np.array([100, 200, 120, 240]), FRAME).extent() == (100, 200, 120, 240)
    assert CORRECTED.bounded(everything, np.array([9.5, 20, 30, 40.2]), FRAME).extent() == (9, 20, 30, 41)
    assert CORRECTED.bounded(everything, np.array([0, 0, 399, 511]), FRAME).extent() == (0, 0, 399, 511)
    elsewhere = Region(0, 0, np.ones((50, 50), bool))
    assert CORRECTED.bounded(elsewhere, np.array([100, 200, 120, 240]), FRAME).extent() is None
    assert PUBLISHED.bounded(everything, np.array([100, 200, 120, 240]), FRAME) is everything


def test_an_empty_mask_falls_back_to_the_given_box():
    given = np.array([101, 33, 257, 499])
    exact = np.float32([50.5, 16.5, 128.5, 249.5])
    np.testing.assert_array_equal(CORRECTED.next_box(Passage(EMPTY, 1, given, True, CYLINDER), FRAME), exact)
    np.testing.assert_array_equal(PUBLISHED.next_box(Passage(EMPTY, 1, given, False, CYLINDER), FRAME), exact)
    np.testing.assert_array_equal(PUBLISHED.next_box(Passage(EMPTY, 1, given, True, CYLINDER), FRAME), np.trunc(exact))


def test_an_ellipsoid_is_as_wide_as_its_equation_says():
    assert ellipsoid_width(4, 4, 4) == 1
    assert ellipsoid_width(4, 0, 8) == 1
    assert ellipsoid_width(0, 0, 8) == ellipsoid_width(8, 0, 8) == pytest.approx(np.sqrt(1 - (4 / 4.5) ** 2))
    assert ellipsoid_width(2, 2, 3) == pytest.approx(np.sqrt(0.75))
    widths = [ellipsoid_width(z, 3, 40) for z in range(3, 41)]
    # The mean of the squared widths, as the volume of an ellipsoid in its box.
    assert np.mean(np.square(widths)) == pytest.approx(2 / 3, abs=1e-3)


def test_the_ellipsoid_s_next_box_is_half_way_between_its_section_and_the_mask():
    given = np.array([100, 100, 298, 298])
    # In the frame the box is 50 … 149 and its section 75 … 124; the mask is 60 … 79 by 70 … 99, half of it 65 … 74 by
    # 77.5 … 91.5.
    region = Region(140, 120, np.ones((59, 39), bool))
    box = ELLIPSOID.next_box(Passage(region, 1, given, True, (1.0, 0.5)), FRAME)
    np.testing.assert_allclose(box, [(75 + 65) / 2, (75 + 77.5) / 2, (124 + 74) / 2, (124 + 91.5) / 2])
    assert box.dtype == np.float32
    shrunk = ELLIPSOID.next_box(Passage(region, 1, given, True, (0.5, 0.25)), FRAME)
    assert (shrunk[2:] - shrunk[:2] < box[2:] - box[:2]).all()


def test_the_ellipsoid_s_next_box_stays_in_the_object_s_own_and_never_turns_over():
    given = np.array([100, 100, 140, 140])
    everything = Region(0, 0, np.ones((512, 400), bool))
    box = ELLIPSOID.next_box(Passage(everything, 1, given, False, (0.5, 1.0)), FRAME)
    np.testing.assert_array_equal(box, ELLIPSOID.box_in_frame(given, FRAME))
    speck = Region(120, 120, np.ones((1, 1), bool))
    box = ELLIPSOID.next_box(Passage(speck, 1, np.array([120, 120, 120, 120]), False, (1.0, 0.1)), FRAME)
    np.testing.assert_array_equal(box, np.float32([60, 60, 60, 60]))
    np.testing.assert_allclose(
        ELLIPSOID.next_box(Passage(EMPTY, 1, given, True, (0.9, 0.5)), FRAME), [55.25, 55.25, 64.75, 64.75]
    )


def test_the_mask_before_is_scribbled_as_large_as_the_section_of_the_ellipsoid():
    # 40 × 60 pixels of the image are 20 × 30 of the frame, and half as wide on the next slice; the centre stays.
    region = Region(100, 200, np.ones((60, 40), bool))
    passage = Passage(region, 1, np.array([150, 80, 300, 200]), True, (1.0, 0.5))
    scribble = PASSAGES["ellipsoid_mask"].next_scribble(passage, FRAME)
    assert scribble.shape == (256, 256)
    ys, xs = np.nonzero(scribble)
    np.testing.assert_allclose([xs.min(), xs.max() + 1, ys.min(), ys.max() + 1], [105, 115, 57.5, 72.5], atol=0.5)
    assert np.count_nonzero(scribble) == pytest.approx(150, rel=0.1)


def test_the_mask_before_is_scribbled_by_the_ratio_of_both_sections():
    mask = np.ones((40, 40), bool)
    frame = Frame.of(256, 256, 256)
    for widths, side in (((0.8, 0.4), 20), ((0.5, 1.0), 80)):
        scribble = PASSAGES["ellipsoid_mask"].next_scribble(
            Passage(Region(60, 80, mask), 1, np.zeros(4), True, widths), frame
        )
        ys, xs = np.nonzero(scribble)
        assert abs(xs.max() + 1 - xs.min() - side) <= 1
        assert abs((xs.min() + xs.max()) / 2 - 99.5) <= 0.5
        assert abs((ys.min() + ys.max()) / 2 - 79.5) <= 0.5


def test_the_mask_before_is_scribbled_as_it_is_where_nothing_changes():
    ragged = np.random.default_rng(0).random((60, 40)) < 0.5
    passage = Passage(Region(3, 5, ragged), 1, np.zeros(4), True, CYLINDER)
    scribble = PASSAGES["ellipsoid_mask"].next_scribble(passage, Frame.of(256, 200, 256))
    np.testing.assert_array_equal(scribble[3:63, 5:45], ragged)
    assert np.count_nonzero(scribble) == np.count_nonzero(ragged)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_is_scribbled_after_an_empty_mask(protocol):
    assert protocol.next_scribble(Passage(EMPTY, 1, np.zeros(4), True, CYLINDER), FRAME) is None


def test_a_bundle_may_say_how_its_weights_go_on():
    for name, passage in PASSAGES.items():
        assert protocol_named("corrected", "litemedsam", "stroke", name) is passage
    assert protocol_named("corrected", "litemedsam", "none") is CORRECTED
    with pytest.raises(LiteMedSamError, match="asks for the passage 'cone'; this version knows: margin, ellipsoid"):
        protocol_named("corrected", "litemedsam", "stroke", "cone")


def test_the_weights_scribble_decides_how_a_corrected_volume_goes_on():
    assert protocol_named("corrected", "swin_litemedsam") is CORRECTED
    assert protocol_named("corrected", "swin_litemedsam", "stroke") is CORRECTED
    assert protocol_named("corrected", "swin_litemedsam", "ellipse") is PASSAGES["ellipsoid_corners"]
    assert protocol_named("published", "swin_litemedsam", "ellipse") is PUBLISHED


def test_a_mask_that_vanishes_when_shrunk_falls_back_too():
    frame = Frame.of(2048, 2048, 256)
    given = np.array([100, 100, 300, 300])
    tiny = Region(1003, 1003, np.ones((2, 2), bool))
    box = PUBLISHED.next_box(Passage(tiny, 1, given, True, CYLINDER), frame)
    np.testing.assert_array_equal(box, PUBLISHED.box_in_frame(given, frame))


def test_an_unknown_protocol_is_refused():
    with pytest.raises(LiteMedSamError, match="expected one of: corrected, published"):
        protocol_named("exact", "swin_litemedsam")


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_published_next_box_grows_by_three_and_may_reach_the_padding(pipeline):
    frame = Frame.of(200, 256, 256)
    region = Region(50, 100, np.ones((20, 40), bool))
    box = PIPELINES[pipeline].next_box(Passage(region, 1, np.zeros(4), True, CYLINDER), frame)
    np.testing.assert_array_equal(box, np.float32([97, 47, 142, 72]))
    assert box.dtype == np.float32
    everything = Region(0, 0, np.ones((200, 256), bool))
    box = PIPELINES[pipeline].next_box(Passage(everything, 300, np.zeros(4), True, CYLINDER), frame)
    np.testing.assert_array_equal(box, np.float32([0, 0, 256, 202]))


def test_a_number_above_255_does_not_wrap_around():
    """As bytes, 256 would be nothing."""
    region = Region(50, 100, np.ones((20, 40), bool))
    frame = Frame.of(256, 256, 256)
    box = PUBLISHED.next_box(Passage(region, 256, np.float64([1, 2, 3, 4]), True, CYLINDER), frame)
    np.testing.assert_array_equal(box, np.float32([97, 47, 142, 72]))


def test_the_corrected_box_keeps_single_precision_and_its_scale():
    box = CORRECTED.box_in_frame([1, 2, 3, 5], Frame.of(300, 100, 256))
    np.testing.assert_array_equal(box, np.float32(np.array([1, 2, 3, 5]) * (256 / 300)))
    assert box.dtype == np.float32


def test_unknown_protocols_are_refused():
    with pytest.raises(LiteMedSamError, match="unknown protocol 'other'"):
        protocol_named("other", "litemedsam")
    with pytest.raises(LiteMedSamError, match="asks for the published protocol 'sam'; this version knows: swin"):
        protocol_named("published", "sam")
    assert protocol_named("published", "litemedsam") is PIPELINES["litemedsam"]
