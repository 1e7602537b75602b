"""The only way from a file to masks."""

import numpy as np
import pytest
from litemedsam.engine.objects.sources import GivenBoxes
from litemedsam.engine.running.job import Request, segment_file
from litemedsam.engine.system.stopwatch import Stopwatch
from sample_scans import BOX, labels

from litemedsam import LiteMedSamError, Predictor

GIVEN = GivenBoxes([tuple(float(number) for number in BOX.split(","))])


@pytest.fixture
def predictor(tiny_bundle):
    with Predictor(tiny_bundle, threads=1) as made:
        yield made


def test_a_scan_comes_back_on_its_own_grid(predictor, scans):
    watch, steps = Stopwatch(), []
    request = Request(scans / "scan.nii.gz", GIVEN)
    done = segment_file(predictor, request, lambda k, total: steps.append((k, total)), watch)
    assert done.labels.shape == done.scan.grid == labels(scans / "mask.nii.gz").shape
    assert set(np.unique(done.labels)) == {0, 1}
    assert done.names == ("",)
    assert steps[-1][0] == steps[-1][1] == 3
    assert watch.seconds["read"] > 0


def test_the_file_s_own_boxes_are_taken_by_default(predictor, scans):
    done = segment_file(predictor, Request(scans / "flat.npz"))
    assert len(done.result.scores) == 2
    with pytest.raises(LiteMedSamError, match="there are no boxes"):
        segment_file(predictor, Request(scans / "scan.nii.gz"))


def test_progress_may_raise_to_cancel(predictor, scans):
    class CancelledError(Exception):
        pass

    def cancel(done, total):
        raise CancelledError

    with pytest.raises(CancelledError):
        segment_file(predictor, Request(scans / "volume.npz"), cancel)
    assert segment_file(predictor, Request(scans / "volume.npz")).labels.any()
