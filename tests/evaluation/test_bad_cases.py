"""Cases that the evaluation refuses, and its figures for empty masks."""

import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from litemedsam.evaluation.cases import read_masks, read_prompted, read_truth
from litemedsam.evaluation.cli import main
from litemedsam.evaluation.figures import Challenge, Corrected
from litemedsam.evaluation.groups import group_of
from litemedsam.evaluation.pieces import pieces_of, together
from litemedsam.evaluation.rivals import RIVALS, fill_boxes
from litemedsam.evaluation.surface import surface_dice
from litemedsam.evaluation.truth import Prompted, Truth

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


def test_rivals_leave_out_boxes_beyond_the_image():
    case = Prompted(FLAT * 200, np.array([[20, 20, 30, 30], [-5, -5, 3, 3], [0, 0, 8, 7]]))
    for rival in RIVALS:
        masks = fill_boxes(rival, case)
        assert 1 not in masks
        assert {2, 3} <= set(masks)
        assert masks[2].start == (0, 0)


def test_an_unusual_name_is_a_group_of_its_own():
    assert group_of("case.npz", 2) == "other"
    assert group_of("case.npz", 3) == "other 3D"
    assert group_of("2DBox_Thermal_1.npz", 2) == "Thermal"


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


def test_one_mask_and_none_lie_on_the_one_s_grid():
    labels = np.zeros((5, 6), np.uint16)
    labels[1:3, 2:5] = 1
    piece = pieces_of(labels)[1]
    for pair, which in (((piece, None), 0), ((None, piece), 1)):
        masks = together(*pair)
        assert masks[which].all()
        assert not masks[1 - which].any()
        assert masks[0].shape == masks[1].shape == (2, 3)


def test_surface_dice_of_the_empty_and_of_bad_arguments():
    full, empty = np.ones((4, 4), bool), np.zeros((4, 4), bool)
    assert math.isnan(surface_dice(empty, empty, (1.0, 1.0), 1.0))
    assert surface_dice(full, empty, (1.0, 1.0), 1.0) == 0
    assert surface_dice(empty, full, (1.0, 1.0), 1.0) == 0
    for shapes, spacing, words in (
        (((4, 4), (4, 5)), (1.0, 1.0), "expected one shape of 2 or 3 axes"),
        (((4,), (4,)), (1.0,), "expected one shape of 2 or 3 axes"),
        (((4, 4), (4, 4)), (1.0,), "expected 2 finite numbers above 0"),
        (((4, 4), (4, 4)), (1.0, 0.0), "expected 2 finite numbers above 0"),
        (((4, 4), (4, 4)), (1.0, np.inf), "expected 2 finite numbers above 0"),
    ):
        with pytest.raises(LiteMedSamError, match=words):
            surface_dice(*(np.ones(shape, bool) for shape in shapes), spacing, 1.0)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command_says_what_it_lacks(tmp_path):
    folder = tmp_path / "gts"
    folder.mkdir()
    assert "nothing to measure" in run("-g", folder).stderr
    assert "no npz, NIfTI, NRRD or MetaImage files" in run("-g", folder, "--rivals").stderr
    saved(folder, gts=FLAT, imgs=FLAT, boxes=np.array([[3, 2, 6, 4]]))
    assert "no such folder" in run("-g", folder, "--rivals", "--csv", tmp_path / "none" / "a.csv").stderr
    # A place where nothing can be written, even by root.
    done = run("-g", folder, "--rivals", "--csv", "/proc/a.csv")
    assert done.exit_code == 1
    assert "choose a file that can be written" in done.stderr
    done = run("-g", folder, "--rivals", "--json", tmp_path / "a.json")
    assert done.exit_code == 0
    assert "macro mean" in done.stdout


def test_without_any_good_case_there_is_no_table(tmp_path):
    saved(tmp_path, "2DBox_CT_a.npz", gts=FLAT)
    done = run("-g", tmp_path, "--rivals")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "1 cases failed, 0 were measured" in done.stderr


def test_a_worker_that_dies_is_a_failure(tmp_path, monkeypatch):
    from litemedsam.evaluation import evaluate

    class Dies(evaluate.ProcessPoolExecutor):
        def submit(self, job, name):
            return super().submit(os._exit, 1)

    import os

    saved(tmp_path, "2DBox_CT_a.npz", gts=FLAT)
    monkeypatch.setattr(evaluate, "ProcessPoolExecutor", Dies)
    (failure,) = evaluate.evaluate_folders(None, tmp_path, RIVALS, workers=2)
    assert "a worker process died; use fewer workers or more memory" in failure.message
