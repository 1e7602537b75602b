"""The two sets of figures on hand-made cases."""

import math

import numpy as np
import pytest
from litemedsam.evaluation.figures import Challenge, Corrected, dice
from litemedsam.evaluation.pieces import pieces_of
from litemedsam.evaluation.surface import surface_dice


def measured(which, truth, mask, spacing=None):
    return which.measure(pieces_of(truth), pieces_of(mask), spacing)


def discs():
    y, x = np.mgrid[:200, :200] - 100
    return ((y**2 + x**2 <= r**2).astype(np.uint16) for r in (50, 60))


def test_discs_of_radius_50_and_60():
    truth, mask = discs()
    challenge, corrected = measured(Challenge(), truth, mask), measured(Corrected(), truth, mask)
    assert challenge.dsc == corrected.dsc == pytest.approx(0.8200062715584823, abs=1e-6)
    assert challenge.nsd == pytest.approx(0.8573641153944225, abs=1e-6)
    assert corrected.nsd == 0


def test_the_order_of_the_spacing_decides_in_thick_slices():
    truth, mask = np.zeros((2, 14, 32, 32), np.uint16)
    truth[2:12, 10:20, 10:20] = 1
    mask[1:13, 10:20, 10:20] = 1
    spacing = (1.0, 1.0, 5.0)
    challenge, corrected = (measured(s, truth, mask, spacing) for s in (Challenge(), Corrected()))
    assert challenge.dsc == corrected.dsc == pytest.approx(10 / 11)
    # One slice further at each end is 1 mm by the stored order, 5 mm in truth.
    assert challenge.nsd == 1
    assert corrected.nsd == pytest.approx(surface_dice(truth == 1, mask == 1, (5.0, 1.0, 1.0), 2.0))
    assert 0.8 < corrected.nsd < 0.95


def test_a_label_that_nobody_has_poisons_the_challenge_alone():
    labels = np.zeros((40, 40), np.uint16)
    labels[5:15, 5:15], labels[20:30, 20:30] = 1, 3
    challenge, corrected = measured(Challenge(), labels, labels), measured(Corrected(), labels, labels)
    assert math.isnan(challenge.dsc)
    assert challenge.nsd == 0
    assert [o.label for o in challenge.objects] == [1, 2, 3]
    assert math.isnan(challenge.objects[1].dsc)
    assert (corrected.dsc, corrected.nsd) == (1, 1)
    assert [o.label for o in corrected.objects] == [1, 3]


def test_labels_above_the_truths_highest_count_in_the_corrected_set_alone():
    truth, mask = np.zeros((2, 40, 40), np.uint16)
    truth[5:15, 5:15] = mask[5:15, 5:15] = 1
    mask[20:30, 20:30] = 2
    assert measured(Challenge(), truth, mask).dsc == 1
    assert measured(Corrected(), truth, mask).dsc == 0.5


def test_nsd_is_naught_where_the_challenges_dsc_is_at_most_a_fifth():
    truth, mask = np.zeros((2, 40, 40), np.uint16)
    truth[0:10, 0:10] = 1
    mask[9:19, 0:10] = 1
    figures = measured(Challenge(), truth, mask)
    assert figures.dsc == pytest.approx(0.1)
    assert figures.nsd == figures.objects[0].nsd == 0
    assert measured(Challenge(least_dsc=0.0), truth, mask).nsd > 0
    assert measured(Corrected(), truth, mask).nsd > 0


def test_no_objects_at_all():
    none = np.zeros((8, 8), np.uint16)
    challenge, corrected = measured(Challenge(), none, none), measured(Corrected(), none, none)
    assert math.isnan(challenge.dsc)
    assert challenge.nsd == 0
    assert (corrected.dsc, corrected.nsd, corrected.objects) == (1, 1, ())
    assert math.isnan(dice(none > 0, none > 0))


def test_a_missed_object_counts_as_naught():
    truth = np.zeros((40, 40), np.uint16)
    truth[5:15, 5:15], truth[20:30, 20:30] = 1, 2
    mask = np.where(truth == 1, truth, 0).astype(np.uint16)
    for which in (Challenge(), Corrected()):
        figures = measured(which, truth, mask)
        assert figures.dsc == figures.nsd == 0.5


def test_255_objects_in_bytes_are_all_counted():
    truth = np.zeros((64, 64), np.uint16)
    truth[::4, ::4] = np.arange(1, 257).reshape(16, 16) % 256
    assert len(measured(Challenge(), truth, truth).objects) == 255
    assert measured(Challenge(), truth, truth).dsc == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("axes", [2, 3])
def test_the_challenges_figures_from_its_own_definitions(axes):
    library = pytest.importorskip("surface_distance.metrics")
    rng = np.random.default_rng(axes)
    shape = (50, 40) if axes == 2 else (12, 40, 30)
    truth, mask = np.zeros((2, *shape), np.uint16)
    for label in (1, 2, 3):
        for labels in (truth, mask):
            start = [int(rng.integers(4)) + (3 if n < 20 else 10) * (label - 1) for n in shape]
            labels[tuple(slice(s, s + 9) for s in start)] = label
    spacing = None if axes == 2 else (0.8, 0.9, 4.0)
    expected = []
    for label in (1, 2, 3):
        pair = [labels == label for labels in (truth, mask)]
        if axes == 2:
            pair = [p[..., None] for p in pair]
        distances = library.compute_surface_distances(*pair, spacing or (1.0, 1.0, 1.0))
        expected.append(
            (library.compute_dice_coefficient(*pair), library.compute_surface_dice_at_tolerance(distances, 2.0))
        )
    dsc, nsd = np.mean(expected, 0)
    figures = measured(Challenge(), truth, mask, spacing)
    assert dsc > 0.2
    assert (figures.dsc, figures.nsd) == pytest.approx((dsc, nsd), abs=1e-6)


def test_nothing_and_nothing_agree():
    nothing = pieces_of(np.zeros((5, 5), np.uint16))
    corrected = Corrected().measure(nothing, nothing, None)
    assert (corrected.dsc, corrected.nsd, corrected.objects) == (1, 1, ())
    challenge = Challenge().measure(nothing, nothing, None)
    assert math.isnan(challenge.dsc)
    assert challenge.objects == ()


def test_labels_between_are_undefined_in_the_challenge_s_figures():
    labels = np.zeros((5, 5), np.uint16)
    labels[1:3, 1:3] = 2
    found = Challenge().measure(pieces_of(labels), pieces_of(labels), None)
    assert [math.isnan(o.dsc) for o in found.objects] == [True, False]
    (only,) = Corrected().measure(pieces_of(labels), pieces_of(labels), None).objects
    assert (only.label, only.dsc, only.nsd) == (2, 1, 1)


def test_a_label_in_neither_mask_leaves_the_challenge_without_a_mean():
    truth = np.zeros((40, 40), np.uint16)
    truth[4:20, 4:20], truth[24:36, 24:36] = 1, 3
    challenge = measured(Challenge(), truth, truth)
    assert [one.label for one in challenge.objects if math.isnan(one.dsc)] == [2]
    assert math.isnan(challenge.dsc)
    assert [one.nsd for one in challenge.objects] == [0, 0, 0]
