"""What is asked of every case: where its result goes, in which format, and what is written with it."""

from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.io.formats import FORMATS
from litemedsam.engine.objects.sources import GivenBoxes
from litemedsam.engine.running.options import Options
from litemedsam.engine.running.outputs import LabelMap, MaskFolder, Picture
from litemedsam.engine.scan.intensity import Window

from litemedsam import LiteMedSamError


def test_a_result_has_the_scan_s_format_unless_another_is_named(scans, tmp_path):
    own, nifti = Options(tmp_path), Options(tmp_path, format=FORMATS["nifti"])
    for name, theirs, others in (
        ("scan.nii.gz", "scan.nii.gz", "scan.nii.gz"),
        ("flat.npz", "flat.npz", "flat.nii.gz"),
        ("series", "series.dcm", "series.nii.gz"),
        ("slice.png", "slice.png", "slice.nii.gz"),
    ):
        assert own.target(scans / name) == tmp_path / theirs
        assert nifti.target(scans / name) == tmp_path / others
    with pytest.raises(LiteMedSamError, match=r"boxes\.json"):
        own.target(scans / "boxes.json")


def test_subfolders_and_whole_names_part_results_that_would_meet(scans, tmp_path):
    case = scans / "scan.nii.gz"
    options = Options(
        tmp_path,
        format=FORMATS["npz"],
        subfolders={case: Path("a/b")},
        whole_names=frozenset({case, scans / "flat.npz"}),
    )
    assert options.target(case) == tmp_path / "a/b/scan.nii.gz.npz"
    assert options.target(scans / "flat.npz").parent == tmp_path


def test_the_label_map_is_written_last(scans, tmp_path):
    options = Options(tmp_path, drawings=(Picture(), MaskFolder()))
    assert options.outputs(scans / "flat.npz") == (Picture(), MaskFolder(), LabelMap(FORMATS["npz"]))


def test_a_request_is_what_the_options_ask(scans, tmp_path):
    objects, case = GivenBoxes([[9, 13, 29, 30]]), scans / "slice.png"
    options = Options(tmp_path, objects, Window(40, 80), 0, (0.5, 1.5))
    asked = options.request(case)
    assert (asked.path, asked.objects, asked.scaling, asked.time_point) == (case, objects, Window(40, 80), 0)
    np.testing.assert_array_equal(asked.read().spacing, [0.5, 1.5])
    assert not asked.separate
    assert Options(tmp_path, drawings=(MaskFolder(),)).request(case).separate


def test_a_request_refuses_what_its_format_cannot_hold(scans, tmp_path):
    asked = Options(tmp_path, format=FORMATS["png"]).request(scans / "scan.nii.gz")
    with pytest.raises(LiteMedSamError, match="a PNG holds one slice, the result has 5"):
        asked.check(asked.read(), [""])
