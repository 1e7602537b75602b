"""`segment` in Python returns the results that the command writes."""

import nibabel
import numpy as np
import pytest
from sample_scans import labels

from litemedsam import LiteMedSamError, Predictor, segment


def test_segment_gives_what_the_command_writes(infer, scans, tiny_bundle, tmp_path):
    predictor = Predictor(tiny_bundle, threads=1)
    infer(scans / "scan.nii.gz", "--boxes", scans / "boxes.json", "--window", "40,90")
    expected = labels(tmp_path / "results" / "scan.nii.gz")
    result = segment(
        scans / "scan.nii.gz", scans / "boxes.json", window=(40, 90), output=tmp_path / "own.nii", predictor=predictor
    )
    np.testing.assert_array_equal(result.labels, expected)
    np.testing.assert_array_equal(labels(tmp_path / "own.nii"), expected)
    np.testing.assert_array_equal(result.masks, [expected == 1])
    np.testing.assert_allclose(result.affine, nibabel.load(scans / "scan.nii.gz").affine)
    assert result.names == ("liver",)
    own = segment(scans / "flat.npz", predictor=predictor)
    assert own.masks.shape == (2, 40, 48)
    assert own.affine is None
    given = segment(scans / "slice.png", [[9, 13, 29, 30]], window="none", predictor=predictor)
    assert given.scores.shape == (1,)
    assert given.spacing is None
    given = segment(scans / "stack", [[9, 13, 1, 29, 30, 3]], spacing=[0.5, 1.5, 4], predictor=predictor)
    np.testing.assert_array_equal(given.spacing, [0.5, 1.5, 4])
    with pytest.raises(LiteMedSamError, match="a spacing of 1 numbers for an image, expected 2"):
        segment(scans / "slice.png", [[9, 13, 29, 30]], spacing=0.5, predictor=predictor)
    for arguments, words in (
        ({"boxes": [[1, 1, 1, 5, 5, 2]], "box_space": "image"}, "box_space is 'image', expected voxel or world"),
        ({"boxes": [[1, 1, 5, 5]], "frame": 7}, "has no frame 7"),
    ):
        with pytest.raises(LiteMedSamError, match=words):
            segment(scans / "scan.nii.gz", predictor=predictor, **arguments)


def test_segment_without_a_predictor_uses_the_default_model(scans):
    result = segment(scans / "slice.png", [[9, 13, 29, 30]])
    assert result.labels.shape == (40, 48)
