"""Boxes that reach over the edges of their scan, cut off there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..case import number_list

if TYPE_CHECKING:
    from pathlib import Path

    from ..scan.scan import Scan
    from .objects import Objects
    from .sources import ObjectSource


@dataclass(frozen=True)
class ClippedBoxes:
    """The objects of another source, their boxes cut off at the scan's edges, with a note for each that is cut.

    A box that lies wholly outside stays as it is, and is refused later.

    Attributes
    ----------
    source : ObjectSource
    """

    source: ObjectSource

    def objects(self, path: Path, scan: Scan) -> Objects:
        """See `ObjectSource.objects`."""
        objects = self.source.objects(path, scan)
        rank = objects.boxes.shape[1] // 2
        grid = scan.voxels.shape if scan.is_volume is None else scan.grid
        # A box of four numbers is for the single slice of a volume, too.
        sizes = np.array(grid[:rank] if scan.is_volume is None else grid[-rank:])[::-1]
        clipped, notes = objects.boxes.copy(), []
        for k, box in enumerate(objects.boxes):
            low, high = box[:rank], box[rank:]
            if not np.isfinite(box).all() or len(sizes) < rank or (low > sizes - 1).any() or (high < 0).any():
                continue
            # An end on the far edge itself (x = W) is inside.
            clipped[k] = np.concatenate([np.maximum(low, 0), np.where(high > sizes, sizes - 1, high)])
            if (clipped[k] != box).any():
                was, now = number_list(box), number_list(clipped[k])
                notes.append(f"{path}: object {k + 1}: its box {was} reaches outside the image, cut to {now}")
        return replace(objects.with_boxes(clipped), notes=(*objects.notes, *notes))
