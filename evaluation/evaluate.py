"""Measures one case, or all cases of two folders."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from ..errors import LiteMedSamError
from .cases import case_names, has_truth, masks_of, read_masks, read_prompted, read_truth, stem_of
from .figures import CaseFigures, Challenge, Corrected, MetricSet
from .groups import group_of
from .pieces import pieces_of
from .rivals import Rival, fill_boxes

SETS: tuple[MetricSet, ...] = (Challenge(), Corrected())
"""The sets of figures that each case is measured with."""

MASKS = "masks"
"""The name of the masks under evaluation among the methods; the others are the rivals' names."""


@dataclass(frozen=True)
class CaseResult:
    """The figures of one case.

    Attributes
    ----------
    name : str
        The file's name.
    group : str
        See `group_of`.
    shape : tuple of int
        Of the ground truth.
    objects : int
        The number of labels in the ground truth.
    spacing : tuple of float or None
        (x, y, z) in mm as stored; None for a single image.
    figures : dict
        Method (`MASKS` or a rival's name) to the name of a metric set to `CaseFigures`.
    """

    name: str
    group: str
    shape: tuple[int, ...]
    objects: int
    spacing: tuple[float, float, float] | None
    figures: dict[str, dict[str, CaseFigures]]


@dataclass(frozen=True)
class Failure:
    """A case that could not be measured.

    Attributes
    ----------
    name : str
        The file's name.
    message : str
        The reason, on one line.
    """

    name: str
    message: str


def evaluate_case(
    truth_path: Path, masks_path: Path | None, rivals: Sequence[Rival] = (), sets: Sequence[MetricSet] = SETS
) -> CaseResult:
    """Measure one case.

    Parameters
    ----------
    truth_path : Path
        npz with `gts`, `spacing` for a volume, `imgs` and `boxes` for rivals; or a volume's file.
    masks_path : Path or None
        npz with `segs`, or a volume's file; None measures the rivals alone.
    rivals : sequence of Rival
    sets : sequence of MetricSet

    Returns
    -------
    CaseResult

    Raises
    ------
    LiteMedSamError
        When a file is missing, or its content is missing or invalid.
    """
    truth = read_truth(truth_path)
    shape = truth.labels.shape
    methods = {}
    if masks_path is not None:
        methods[MASKS] = pieces_of(read_masks(masks_path, truth))
    if rivals:
        prompted = read_prompted(truth_path, shape)
        methods |= {rival.name: fill_boxes(rival, prompted) for rival in rivals}
    objects = pieces_of(truth.labels)
    figures = {
        method: {which.name: which.measure(objects, masks, truth.spacing) for which in sets}
        for method, masks in methods.items()
    }
    return CaseResult(truth.name, group_of(truth.name, len(shape)), shape, len(objects), truth.spacing, figures)


def evaluate_folders(
    masks: Path | None, truths: Path, rivals: Sequence[Rival] = (), workers: int = 1
) -> Iterator[CaseResult | Failure]:
    """Measure every case of a folder, in the order of the names.

    Parameters
    ----------
    masks : Path or None
        Folder of files with the names of the ground truths, of the same kind or another, see
        `litemedsam.evaluation.cases.masks_of`; None measures the rivals alone.
    truths : Path
        Folder of files of all kinds, see `evaluate_case`.
    rivals : sequence of Rival
    workers : int
        Processes, at least 1; 1 works in this one.

    Yields
    ------
    CaseResult or Failure
        One per case. Masks without a truth of their name are also failures.
    """
    names = case_names(truths)
    job = partial(_measured, masks, truths, tuple(rivals))
    if workers == 1:
        yield from map(job, names)
    else:
        # A fork after OpenCV or BLAS has started threads can hang.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for name, future in [(name, pool.submit(job, name)) for name in names]:
                try:
                    yield future.result()
                except BrokenProcessPool:
                    yield Failure(name, f"{truths / name}: a worker process died; use fewer workers or more memory")
    if masks is None:
        return
    known = {stem_of(name) for name in names}
    for name in case_names(masks):
        if not has_truth(name, known):
            message = f"{masks / name}: no ground truth of this name in {truths}; remove it or add its truth"
            yield Failure(name, message)


def _measured(masks: Path | None, truths: Path, rivals: Sequence[Rival], name: str) -> CaseResult | Failure:
    try:
        return evaluate_case(truths / name, None if masks is None else masks_of(masks, name), rivals)
    except LiteMedSamError as error:
        return Failure(name, str(error))
