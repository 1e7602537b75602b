"""What is asked of one scan: how it is read, and what is refused before anything is computed."""

from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.io.format_choice import format_choice
from litemedsam.engine.io.formats import FORMATS
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.objects.sources import GivenBoxes
from litemedsam.engine.running.job import Request, segment_file
from litemedsam.engine.running.options import Options
from litemedsam.engine.scan.scan import Scan
from synthetic_scans import edit_series, phantom, stored, write_series

from litemedsam import LiteMedSamError

BOX = GivenBoxes([[9, 13, 1, 29, 30, 3]])


def refused(request, words):
    # No predictor: what is refused later would fail for its lack.
    with pytest.raises(LiteMedSamError, match=words):
        segment_file(None, request)


def test_a_result_that_cannot_be_written_is_refused_before_computing(scans, tmp_path):
    for case, kind, words in (
        ("scan.nii.gz", "dicom", "a DICOM SEG needs DICOM images to refer to"),
        ("scan.nii.gz", "png", "a PNG holds one slice, the result has 5"),
        ("series", "png", "a PNG holds one slice, the result has 5"),
        ("volume.npz", "png", "a PNG holds one slice, the result has 5"),
    ):
        refused(Options(tmp_path, BOX, format=FORMATS[kind]).request(scans / case), words)
    folder = tmp_path / "anonymous"
    paths = write_series(folder, stored(phantom(), (0, 1, 2), (False,) * 3))
    edit_series(paths, lambda image: delattr(image, "StudyInstanceUID"))
    refused(Options(tmp_path, BOX).request(folder), "its images lack StudyInstanceUID; use --format nifti")


def test_what_only_dicom_has_is_refused_of_others(scans):
    for formats in (format_choice("1", False), format_choice(None, True)):
        for case in ("scan.nii.gz", "slice.png", "flat.npz", "stack"):
            refused(Request(scans / case, BOX, formats=formats), "is not DICOM; leave --series and --allow-uneven out")
    assert Request(scans / "series", formats=format_choice("1", False)).read().grid == (5, 40, 48)


def test_options_travel_to_other_processes(scans, tmp_path):
    options = Options(tmp_path, BOX, formats=format_choice("1", True))
    sent = ForkingPickler.loads(ForkingPickler.dumps(options)).formats.of(scans / "series")
    assert (sent.series, sent.allow_uneven) == ("1", True)
    assert options.request(scans / "series").formats is options.formats


def test_notes_of_a_scan_reach_what_is_prepared():
    scan = Scan("scan", phantom()[0], False, notes=("scan: read with care",))
    prepared = prepare(scan, Objects.of_boxes(str(Path("scan")), np.array([[1.0, 1, 5, 5]])))
    assert "scan: read with care" in prepared.notes
