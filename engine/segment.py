"""The Python interface to files: a scan and boxes in, masks on the scan's own grid out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import LiteMedSamError
from ..inputs import InputFiles
from .io.format_choice import format_choice
from .io.formats import format_for_result, format_of
from .objects.clipped import ClippedBoxes
from .objects.json_file import BoxesFile
from .objects.sources import GivenBoxes, ObjectSource, StoredBoxes
from .predictor import Predictor
from .running.job import Request, SegmentedScan, segment_file
from .running.outputs import LabelMap
from .scan.intensity import Scaling, scaling_named


@dataclass(frozen=True)
class ScanResult:
    """The masks of a scan.

    Attributes
    ----------
    labels : ndarray
        (H, W) or (D, H, W) on the file's own grid, 0 for background and `values` for objects; where objects overlap,
        the highest. A voxel is indexed [z, y, x], so ``labels.T`` is as ``nibabel`` indexes a NIfTI file.
    scores : ndarray
        float32 (N,), predicted IoU.
    names : tuple of str
        One per object, empty where it has none.
    affine : ndarray or None
        float64 (4, 4), voxel index (x, y, z) to millimetres towards right, anterior, superior; None where the file
        does not tell.
    spacing : ndarray or None
        float64, distance between voxels in mm along x, y and, for a volume, z.
    notes : tuple of str
        What was decided for you, and which objects the label map does not show.
    values : tuple of int
        The label of each object: 1, 2, …, or the numbers of the mask that the boxes come from.
    """

    labels: np.ndarray
    scores: np.ndarray
    names: tuple[str, ...]
    affine: np.ndarray | None
    spacing: np.ndarray | None
    notes: tuple[str, ...]
    values: tuple[int, ...]
    _segmented: SegmentedScan = field(repr=False, compare=False)

    @property
    def masks(self) -> np.ndarray:
        """bool (N, H, W) or (N, D, H, W), one mask per object.

        They overlap where ``separate=True`` was given; otherwise they are what the label map shows.
        """
        return np.stack([self._segmented.mask(k) for k in range(len(self.values))])


def segment(
    scan: str | Path,
    boxes: Sequence[Sequence[float]] | str | Path | None = None,
    *,
    box_space: str = "voxel",
    window: str | tuple[float, float] | None = None,
    frame: int | None = None,
    spacing: Sequence[float] | None = None,
    series: str | None = None,
    allow_uneven: bool = False,
    clip: bool = False,
    separate: bool = False,
    output: str | Path | None = None,
    predictor: Predictor | None = None,
) -> ScanResult:
    """Segment a scan of any format that ``litemedsam-infer`` reads.

    Parameters
    ----------
    scan : path
        An npz, NIfTI, DICOM, NRRD, MetaImage, PNG, JPEG, TIFF or BMP file, or the folder of a DICOM series.
    boxes : sequence of boxes, or path of a JSON file; optional
        Each x0, y0, x1, y1 for an image, or x0, y0, z0, x1, y1, z1 for a volume, ends included, in voxels along
        the file's own axes (for NIfTI its first, second and third; column, row and slice otherwise). Those in the
        file when absent.
    box_space : str
        ``voxel``, or ``world`` for millimetres towards right, anterior, superior.
    window : str or tuple of float, optional
        ``abdomen``, ``lung``, ``brain``, ``bone``, ``mediastinum``, ``percentiles``, ``none``, or (level, width);
        what is usual for the scan when absent.
    frame : int, optional
        Which time point or echo of a series of volumes.
    spacing : sequence of float, optional
        Of a picture, or of a folder of them, in mm along x, y and, for a volume, z; files that tell theirs refuse it.
    series : str, optional
        Number, UID or part of the description of one DICOM series in a folder of several.
    allow_uneven : bool
        Whether DICOM slices may lie at uneven distances; their median distance then counts for all.
    clip : bool
        Cut boxes off at the image's edges instead of refusing them.
    separate : bool
        Keep the objects' masks apart, so that they overlap where objects do.
    output : path, optional
        Also write the label map there, in the format of the suffix: .npz, .nii.gz, .nii, .dcm, .png, .tif; of a stack
        of pictures, a path without one is a folder. A file that exists is replaced, unless it is read by this call.
    predictor : Predictor, optional
        To use again and again; a new one with the default model when absent.

    Returns
    -------
    ScanResult

    Raises
    ------
    LiteMedSamError
        For files, boxes and settings that do not make sense, in one line that says what to do.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import nibabel, numpy as np
    >>> from litemedsam import segment
    >>> volume = np.zeros((48, 40, 1), np.uint8)
    >>> volume[12:30, 10:25] = 200
    >>> path = Path(tempfile.mkdtemp()) / "scan.nii.gz"
    >>> nibabel.Nifti1Image(volume, np.diag([-1.0, -1, 2, 1])).to_filename(path)
    >>> result = segment(path, boxes=[[11, 9, 0, 30, 25, 0]])
    >>> result.masks.shape, result.scores.shape, result.affine.diagonal().tolist()
    ((1, 1, 40, 48), (1,), [-1.0, -1.0, 2.0, 1.0])
    """
    path = Path(scan)
    if box_space not in ("voxel", "world"):
        raise LiteMedSamError(f"box_space is {box_space!r}, expected voxel or world")
    source = _source(boxes, box_space == "world")
    target = None if output is None else Path(output)
    written = None if target is None else _output(target, path, source, predictor)
    check = None if target is None or written is None else partial(written.format.check_result, target)
    objects = ClippedBoxes(source) if clip else source
    formats = format_choice(series, allow_uneven)
    request = Request(path, objects, _scaling(window), frame, spacing, formats, check, separate)
    own = predictor is None
    predictor = Predictor() if predictor is None else predictor
    try:
        done = segment_file(predictor, request)
    finally:
        if own:
            predictor.close()
    if target is not None and written is not None:
        written.write(target, done)
    geometry = done.scan.geometry
    return ScanResult(
        np.ascontiguousarray(done.labels),
        done.result.scores,
        done.names,
        None if geometry is None else geometry.affine,
        done.scan.spacing,
        done.notes,
        done.values,
        done,
    )


def _output(output: Path, scan: Path, source: ObjectSource, predictor: Predictor | None) -> LabelMap:
    """How the label map is written, once it is known to replace no input."""
    read = [scan, *([source.path] if isinstance(source, BoxesFile) else [])]
    InputFiles([*read, *([] if predictor is None else [predictor.bundle])]).refuse(output, "give another output")
    return LabelMap(format_for_result(output, format_of(scan)))


def _source(boxes: Sequence[Sequence[float]] | str | Path | None, world: bool) -> ObjectSource:
    if boxes is None:
        return StoredBoxes()
    if isinstance(boxes, str | Path):
        return BoxesFile(Path(boxes), world)
    return GivenBoxes(boxes, world)


def _scaling(window: str | tuple[float, float] | None) -> Scaling | None:
    if window is None:
        return None
    return scaling_named(window if isinstance(window, str) else ",".join(str(float(value)) for value in window))
