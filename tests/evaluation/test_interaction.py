"""A simulated user's clicks on the engine's own objects, and on an object that obeys at once."""

from dataclasses import dataclass

import numpy as np
import pytest
from litemedsam.engine.predictor import Predictor
from litemedsam.evaluation.clicks import next_click
from litemedsam.evaluation.interaction import case_courses, course
from litemedsam.evaluation.surface import surface_dice

from litemedsam.errors import LiteMedSamError
from litemedsam.overlap import dice


@dataclass(frozen=True)
class Painted:
    """A mask that a click changes in a square of five pixels."""

    mask: np.ndarray

    def corrected(self, click):
        mask = self.mask.copy()
        mask[tuple(slice(max(at - 2, 0), at + 3) for at in click.place)] = click.adds
        return Painted(mask)


def test_each_click_falls_on_what_the_clicks_before_have_left():
    truth = np.zeros((20, 40), bool)
    truth[5:10, 5:10] = truth[5:10, 20:25] = True
    found = course(Painted(np.zeros_like(truth)), truth, (1.0, 1.0), 4)
    assert found.dsc == (0.0, pytest.approx(2 / 3), 1.0, 1.0, 1.0)
    assert found.nsd[0] == 0
    assert found.nsd[2:] == (1.0, 1.0, 1.0)
    assert len(found.seconds) == 4


def saved(folder, volume):
    rng = np.random.default_rng(3)
    shape = (4, 48, 56) if volume else (48, 56)
    labels = np.zeros(shape, np.uint8)
    labels[..., 8:24, 10:30] = 1
    labels[..., 30:44, 34:50] = 2
    images = (60 + 90 * (labels > 0) + rng.integers(0, 30, shape)).astype(np.uint8)
    corners = [[10, 8, 29, 23], [34, 30, 49, 43]]
    boxes = np.array([[x, y, 0, u, v, 3] for x, y, u, v in corners] if volume else corners)
    path = folder / ("3DBox_CT_a.npz" if volume else "2DBox_CT_a.npz")
    np.savez(path, imgs=images, gts=labels, boxes=boxes, **({"spacing": np.array([1.0, 1.0, 2.0])} if volume else {}))
    return path, images, labels, boxes


@pytest.mark.parametrize("volume", [False, True])
def test_a_case_is_what_a_user_of_sessions_gets(correctable_bundle, tmp_path, volume):
    path, images, labels, boxes = saved(tmp_path, volume)
    with Predictor(correctable_bundle, threads=1) as predictor:
        found = case_courses(predictor, path, 2)
        assert (found.name, found.group) == (path.name, "CT 3D" if volume else "CT")
        assert list(found.courses) == [1, 2]
        with predictor.open(images, volume=volume) as session:
            history = session.begin(boxes[1])
            masks = [history.mask]
            for _ in range(2):
                click = next_click(labels == 2, history.mask)
                where = {"slice_index": click.place[0]} if volume else {}
                point = {"add" if click.adds else "remove": [click.place[:-3:-1]]}
                history = session.correct(history, **where, **point)
                masks.append(history.mask)
        assert found.courses[2].dsc == tuple(dice(mask, labels == 2) for mask in masks)
        spacing = (2.0, 1.0, 1.0) if volume else (1.0, 1.0)
        assert found.courses[2].nsd == tuple(surface_dice(labels == 2, mask, spacing, 2.0) for mask in masks)
        assert list(case_courses(predictor, path, 1, most=1).courses) == [1]


def test_a_case_whose_boxes_belong_to_no_object_is_refused(correctable_bundle, tmp_path):
    path, images, labels, boxes = saved(tmp_path, False)
    np.savez(path, imgs=images, gts=labels * 9, boxes=boxes)
    with (
        Predictor(correctable_bundle, threads=1) as predictor,
        pytest.raises(LiteMedSamError, match="none of its 2 boxes belongs to an object"),
    ):
        case_courses(predictor, path, 1)
