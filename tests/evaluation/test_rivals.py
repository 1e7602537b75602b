"""The naive rivals, on made boxes and against known figures of real images."""

import math

import numpy as np
import pytest
from litemedsam.evaluation.evaluate import evaluate_folders
from litemedsam.evaluation.report import summarise
from litemedsam.evaluation.rivals import RIVALS, Ellipse, FilledBox, GrabCut, fill_boxes
from litemedsam.evaluation.truth import Prompted
from places import DATA

# Mean DSC over the cases of each group.
BOX = {
    "CT": 0.793, "Dermoscopy": 0.826, "Endoscopy": 0.849, "Fundus": 0.867, "MR": 0.787, "Mammography": 0.716,
    "Microscopy": 0.822, "OCT": 0.858, "US": 0.848, "X-Ray": 0.783, "CT 3D": 0.533, "MR 3D": 0.520, "PET 3D": 0.529,
}  # fmt: skip
ELLIPSE = {
    "CT": 0.835, "Dermoscopy": 0.905, "Endoscopy": 0.903, "Fundus": 0.969, "MR": 0.835, "Mammography": 0.719,
    "Microscopy": 0.866, "OCT": 0.946, "US": 0.939, "X-Ray": 0.806, "CT 3D": 0.709, "MR 3D": 0.660, "PET 3D": 0.734,
}  # fmt: skip


class DiceAlone:
    """DSC over the labels of the ground truth, without the time that surfaces take."""

    name = "dice"

    def measure(self, truth, masks, spacing):
        from litemedsam.evaluation.figures import CaseFigures, dice
        from litemedsam.evaluation.pieces import together

        values = [dice(*together(piece, masks.get(label))) for label, piece in truth.items()]
        return CaseFigures(float(np.mean(values)), math.nan, ())


def prompted(shape, *boxes):
    return Prompted(np.zeros(shape, np.uint8), np.array(boxes))


def test_a_box_holds_its_inclusive_maxima():
    piece = fill_boxes(FilledBox(), prompted((20, 30, 3), [3, 5, 8, 9]))[1]
    assert piece.start == (5, 3)
    assert piece.mask.shape == (5, 6)
    assert piece.mask.all()
    volume = fill_boxes(FilledBox(), prompted((10, 20, 30), [3, 5, 2, 8, 9, 2]))[1]
    assert volume.start == (2, 5, 3)
    assert volume.mask.shape == (1, 5, 6)


def test_boxes_are_clipped_and_those_outside_left_out():
    masks = fill_boxes(FilledBox(), prompted((20, 30), [-5, -5, 3, 40], [40, 0, 50, 10], [9, 9, 4, 4]))
    assert list(masks) == [1]
    assert masks[1].start == (0, 0)
    assert masks[1].mask.shape == (20, 4)


def test_an_ellipse_has_its_area_and_touches_the_box():
    mask = fill_boxes(Ellipse(), prompted((300, 300), [20, 30, 219, 129]))[1].mask
    assert mask.shape == (100, 200)
    assert mask.sum() == pytest.approx(math.pi * 50 * 100, rel=0.002)
    assert mask[0].any()
    assert mask[:, -1].any()
    ball = fill_boxes(Ellipse(), prompted((80, 80, 80), [10, 10, 10, 49, 49, 49]))[1].mask
    assert ball.sum() == pytest.approx(4 / 3 * math.pi * 20**3, rel=0.01)
    assert fill_boxes(Ellipse(), prompted((9, 9), [4, 4, 4, 4]))[1].mask.tolist() == [[True]]


@pytest.mark.parametrize("colours", [(), (3,)])
def test_grabcut_finds_what_stands_out(colours):
    y, x = np.mgrid[:80, :80]
    # An L, which is far from an ellipse.
    truth = ((x > 20) & (x < 60) & (y > 20) & (y < 60)) & ~((x > 42) & (y < 38))
    rng = np.random.default_rng(0)
    plane = (60 + 120 * truth + rng.normal(0, 5, truth.shape)).astype(np.uint8)
    image = np.broadcast_to(plane[..., None], (80, 80, 3)) if colours else plane
    region = slice(21, 60), slice(21, 60)
    mask = GrabCut().fill(image, region)
    assert (mask == truth[region]).mean() > 0.97
    volume = np.stack([image] * 3)
    slices = GrabCut().fill(volume, (slice(1, 3), *region))
    assert (slices == mask).all()


def test_grabcut_without_background_or_pixels_fills_the_box():
    assert GrabCut().fill(np.zeros((12, 12), np.uint8), (slice(0, 12), slice(0, 12))).all()
    assert GrabCut().fill(np.zeros((12, 12), np.uint8), (slice(3, 4), slice(3, 5))).all()


@pytest.mark.skipif(not (DATA / "public").is_dir(), reason="the real images are not beside the project")
def test_box_and_ellipse_reach_what_they_are_known_to_reach(monkeypatch):
    from litemedsam.evaluation import evaluate

    monkeypatch.setattr(evaluate.evaluate_case, "__defaults__", ((), (DiceAlone(),)))
    results = list(evaluate_folders(None, DATA / "public", (FilledBox(), Ellipse())))
    summary = summarise(results)
    for method, known, macro in (("box", BOX, 0.749), ("ellipse", ELLIPSE, 0.833)):
        got = {group: mean.dsc for group, mean in summary.groups[method]["dice"].items()}
        assert got == pytest.approx(known, abs=6e-4)
        assert summary.macro[method]["dice"].dsc == pytest.approx(macro, abs=6e-4)


def test_rivals_leave_out_boxes_beyond_the_image():
    image = np.zeros((8, 9), np.uint8)
    image[2:5, 3:7] = 200
    case = Prompted(image, np.array([[20, 20, 30, 30], [-5, -5, 3, 3], [0, 0, 8, 7]]))
    for rival in RIVALS:
        masks = fill_boxes(rival, case)
        assert 1 not in masks
        assert {2, 3} <= set(masks)
        assert masks[2].start == (0, 0)


def test_a_rival_that_finds_nothing_has_no_mask():
    class Nothing:
        name = "nothing"

        def fill(self, image, region):
            return np.zeros([s.stop - s.start for s in region], bool)

    assert fill_boxes(Nothing(), prompted((20, 30), [2, 3, 10, 12])) == {}
