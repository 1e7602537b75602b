"""Reports of three cases: a volume, an image and one that failed."""

from pathlib import Path

from litemedsam.engine.reporting.case_report import CaseReport

VOLUME = CaseReport(
    case="in/a/scan.nii.gz", output="out/a.nii.gz", shape=[3, 4, 5], objects=2, encoded=3,
    scores=[0.5, 0.75], voxels=[10, 20], names=["liver", "left, kidney"], volumes_ml=[1.5, 2.25],
    boxes=[[0, 1, 0, 2, 3, 1], [1, 1, 0, 2, 3, 2.0]], notes=["a note"], seconds={"total": 2.5},
)  # fmt: skip
IMAGE = CaseReport(
    case="in/photo.png", output="out/photo.png", shape=[4, 5], objects=1, encoded=1, scores=[0.875], voxels=[7],
    names=[""], boxes=[[0, 0, 2.5, 3]], seconds={"total": 0.25},
)  # fmt: skip
FAILED = CaseReport(case="in/broken.png", error="in/broken.png: not a picture")
PATHS = [Path(name) for name in ("in/a/scan.nii.gz", "in/broken.png", "in/photo.png", "in/z.png")]
