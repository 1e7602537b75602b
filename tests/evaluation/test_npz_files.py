"""Truths, masks and prompts in npz files: what is read, and what is refused in words."""

from pathlib import Path

import numpy as np
import pytest
from litemedsam.evaluation.cases import read_masks, read_prompted, read_truth
from litemedsam.evaluation.truth import Truth

from litemedsam import LiteMedSamError

FLAT = np.zeros((8, 9), np.uint8)
FLAT[2:5, 3:7] = 1


def saved(folder, name="2DBox_CT_a.npz", **arrays) -> Path:
    np.savez(folder / name, **arrays)
    return folder / name


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"segs": FLAT}, "no key 'gts', found ['segs']"),
        ({"gts": FLAT.astype(float)}, "expected whole-number labels"),
        ({"gts": np.zeros((0, 9), np.uint8)}, "expected whole-number labels"),
        ({"gts": np.zeros(9, np.uint8)}, "expected whole-number labels"),
        ({"gts": FLAT.astype(np.int64) * -1}, "holds labels -1 to 0, expected 0 to 65535"),
        ({"gts": FLAT.astype(np.int64) * 65536}, "holds labels 0 to 65536"),
        ({"gts": FLAT[None]}, "gts has 3 axes, the name says 2D"),
    ],
)
def test_bad_truths_are_explained(tmp_path, arrays, words):
    with pytest.raises(LiteMedSamError) as error:
        read_truth(saved(tmp_path, **arrays))
    assert words in str(error.value)


@pytest.mark.parametrize(
    "spacing", [[1.0, 1.0], [1.0, 0.0, 1.0], [1.0, np.nan, 1.0], [1.0, np.inf, 1.0], ["1", "1", "1"]]
)
def test_bad_spacings_are_explained(tmp_path, spacing):
    path = saved(tmp_path, "3DBox_CT_a.npz", gts=FLAT[None], spacing=np.array(spacing))
    with pytest.raises(LiteMedSamError, match="expected three numbers above 0"):
        read_truth(path)


def test_a_truth_of_any_whole_numbers_is_taken(tmp_path):
    for dtype in (bool, np.int8, np.uint64):
        labels = read_truth(saved(tmp_path, gts=FLAT.astype(dtype))).labels
        assert labels.dtype == np.uint16
        np.testing.assert_array_equal(labels, FLAT)


def test_masks_have_the_truth_s_shape(tmp_path):
    path = saved(tmp_path, segs=FLAT)
    np.testing.assert_array_equal(read_masks(path, Truth("a", FLAT, None)), FLAT)
    with pytest.raises(LiteMedSamError, match=r"segs has shape \(8, 9\), the ground truth \(9, 8\)"):
        read_masks(path, Truth("a", FLAT.T, None))
    with pytest.raises(LiteMedSamError, match="no such file"):
        read_masks(tmp_path / "absent.npz", Truth("a", FLAT, None))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"imgs": FLAT.astype(np.int16)}, "imgs is int16 (8, 9), expected uint8 (8, 9) or (8, 9, 3)"),
        ({"imgs": FLAT[:5]}, "imgs is uint8 (5, 9)"),
        ({"imgs": np.zeros((8, 9, 4), np.uint8)}, "imgs is uint8 (8, 9, 4)"),
        ({"boxes": np.zeros(4)}, "boxes is float64 (4,), expected numbers (n, 4)"),
        ({"boxes": np.zeros((1, 6))}, "boxes is float64 (1, 6)"),
        ({"boxes": np.array([["a"] * 4])}, "expected numbers (n, 4)"),
        ({"boxes": np.full((1, 4), np.nan)}, "expected numbers (n, 4)"),
    ],
)
def test_bad_prompts_for_rivals_are_explained(tmp_path, arrays, words):
    path = saved(tmp_path, **{"imgs": FLAT, "boxes": np.array([[3, 2, 6, 4]]), **arrays})
    with pytest.raises(LiteMedSamError) as error:
        read_prompted(path, (8, 9))
    assert words in str(error.value)


def test_boxes_between_pixels_go_to_the_nearest(tmp_path):
    path = saved(tmp_path, imgs=np.stack([FLAT] * 3, -1), boxes=np.array([[2.6, 1.5, 6.4, 3.51]]))
    np.testing.assert_array_equal(read_prompted(path, (8, 9)).boxes, [[3, 2, 6, 4]])
