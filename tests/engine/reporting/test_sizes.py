"""Sizes of tiny objects keep their digits in reports."""

from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.case import Case, Segmentation
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import Prepared
from litemedsam.engine.reporting.case_report import CaseReport
from litemedsam.engine.reporting.summary import summary
from litemedsam.engine.scan.geometry import View


def report(mm, rank=3, voxels=30):
    shape = (4, 5, 6)[:rank]
    labels = np.zeros(shape, np.uint8)
    labels.ravel()[:voxels] = 1
    boxes = np.zeros((1, 2 * rank))
    case = Case("a", np.zeros(shape, np.uint8), boxes, np.full(rank, mm))
    prepared = Prepared(case, View.identity(shape), Objects.of_boxes("a", boxes), boxes)
    result = Segmentation(labels, np.ones(1, np.float32), {}, 1, np.array([voxels]), boxes)
    return CaseReport.of(prepared, result, Path("b"), {"total": 1.0}, [1], [])


@pytest.mark.parametrize(
    ("mm", "volume", "shown"),
    [(3e-4, 8.1e-13, "8.1e-13 ml"), (0.1, 3e-5, "3e-05 ml"), (1.0, 0.03, "0.03 ml"), (7.77, 14.0730, "14.07 ml")],
)
def test_volumes(mm, volume, shown):
    case = report(mm)
    assert case.volumes_ml == [pytest.approx(30 * mm**3 / 1000, rel=5e-3)]
    assert case.volumes_ml == [pytest.approx(volume, rel=1e-4)]
    assert shown in summary([Path("a")], [case], [])


def test_areas():
    assert report(0.001, 2, 15).areas_mm2 == [1.5e-5]
    assert "1.5e-05 mm²" in summary([Path("a")], [report(0.001, 2, 15)], [])
    assert report(0.001, 2, 0).areas_mm2 == [0]
