"""DSC and NSD of a case in two sets: the challenge's own, bug for bug, and the corrected ones.

The challenge is "Segment Anything in Medical Images on Laptop", CVPR 2024; its figures are those of its published
evaluation script (https://github.com/bowang-lab/MedSAM, branch LiteMedSAM, evaluation/compute_metrics.py), before
that script rounds them to four digits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..overlap import dice
from .pieces import Piece, together
from .surface import surface_dice

Pair = tuple[np.ndarray, np.ndarray]
"""A ground truth's mask and the one under evaluation, bool, of one shape."""


@dataclass(frozen=True)
class ObjectFigures:
    """One object's figures.

    Attributes
    ----------
    label : int
        At least 1.
    dsc, nsd : float
        In [0, 1], or NaN.
    """

    label: int
    dsc: float
    nsd: float


@dataclass(frozen=True)
class CaseFigures:
    """One case's figures.

    Attributes
    ----------
    dsc, nsd : float
        In [0, 1], or NaN.
    objects : tuple of ObjectFigures
        By label, ascending.
    """

    dsc: float
    nsd: float
    objects: tuple[ObjectFigures, ...]


class MetricSet(Protocol):
    """How a case is measured."""

    name: str

    def measure(
        self, truth: Mapping[int, Piece], masks: Mapping[int, Piece], spacing: tuple[float, float, float] | None
    ) -> CaseFigures:
        """Measure one case.

        Parameters
        ----------
        truth, masks : mapping of int to Piece
            Objects by label, as `pieces_of` gives them; masks may overlap.
        spacing : tuple of float or None
            (3,) in mm as stored in challenge files, (x, y, z); None for a single image.
        """
        ...


@dataclass(frozen=True)
class Challenge:
    """The challenge's own figures, with its quirks.

    - The mean runs over all labels from 1 to the ground truth's highest. A label that neither mask holds is NaN, and
      so is its case's DSC; so is the DSC of a case without any object. Labels above the highest do not count.
    - The NSD of a case is 0, and of all its objects, unless its mean DSC is above 0.2; thus also where that is NaN.
    - A single image is a slab of one voxel, (H, W, 1), of spacing 1: its two faces are surface, and match wherever
      the masks overlap. This lifts the NSD.
    - A volume's spacing is used in the order (x, y, z) in which it is stored, on arrays (z, y, x).
    - Highest label 255 in uint8: counted as 255 labels, as numpy before version 2 did.

    Attributes
    ----------
    tolerance : float
        Of the NSD, in mm, for single images in pixels.
    least_dsc : float
        The NSD is 0 at and below it.
    """

    tolerance: float = 2.0
    least_dsc: float = 0.2
    name = "challenge"

    def measure(
        self, truth: Mapping[int, Piece], masks: Mapping[int, Piece], spacing: tuple[float, float, float] | None
    ) -> CaseFigures:
        """See `MetricSet.measure`."""
        labels = range(1, max(truth, default=0) + 1)
        pairs = [_pair(truth, masks, label) for label in labels]
        dsc = [float("nan") if pair is None else dice(*pair) for pair in pairs]
        mean_dsc = _mean(dsc)
        if mean_dsc > self.least_dsc:
            # A label in neither mask makes the mean not a number, so that here every pair is there.
            nsd = [self._nsd(pair, spacing) for pair in pairs if pair is not None]
            mean_nsd = _mean(nsd)
        else:
            nsd = [0.0] * len(pairs)
            mean_nsd = 0.0
        return CaseFigures(mean_dsc, mean_nsd, tuple(map(ObjectFigures, labels, dsc, nsd)))

    def _nsd(self, pair: Pair, spacing: tuple[float, float, float] | None) -> float:
        truth, mask = pair
        if spacing is None:
            return surface_dice(truth[..., None], mask[..., None], (1.0, 1.0, 1.0), self.tolerance)
        return surface_dice(truth, mask, spacing, self.tolerance)


@dataclass(frozen=True)
class Corrected:
    """The figures without the quirks.

    - The mean runs over the labels of the ground truth and of the masks; one in the masks alone has DSC and NSD 0.
    - A case where neither holds any object has DSC and NSD 1.
    - In a single image the NSD is that of contours, at a tolerance in pixels.
    - A volume's spacing is put into the order of the arrays' axes, (z, y, x).

    Attributes
    ----------
    tolerance : float
        Of the NSD, in mm, for single images in pixels.
    """

    tolerance: float = 2.0
    name = "corrected"

    def measure(
        self, truth: Mapping[int, Piece], masks: Mapping[int, Piece], spacing: tuple[float, float, float] | None
    ) -> CaseFigures:
        """See `MetricSet.measure`."""
        labels = sorted(set(truth) | set(masks))
        if not labels:
            return CaseFigures(1.0, 1.0, ())
        steps: tuple[float, ...] = (1.0, 1.0) if spacing is None else tuple(reversed(spacing))
        objects = []
        for label in labels:
            pair = together(truth.get(label), masks.get(label))
            objects.append(ObjectFigures(label, dice(*pair), surface_dice(*pair, steps, self.tolerance)))
        return CaseFigures(_mean([o.dsc for o in objects]), _mean([o.nsd for o in objects]), tuple(objects))


def _pair(truth: Mapping[int, Piece], masks: Mapping[int, Piece], label: int) -> Pair | None:
    if label not in truth and label not in masks:
        return None
    return together(truth.get(label), masks.get(label))


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
