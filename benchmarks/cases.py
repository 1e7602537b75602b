"""The fourteen cases of the challenge's efficiency table: their shapes and object counts, with synthetic content."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np


@dataclass(frozen=True)
class StandardCase:
    """A case of the table.

    Attributes
    ----------
    name : str
    shape : tuple of int
        (D, H, W) of a volume, (H, W, 3) of an image.
    objects : int
    depths : tuple of (int, int)
        First and last slice of each object of a volume; if empty, every object has all slices.
    """

    name: str
    shape: tuple[int, int, int]
    objects: int
    depths: tuple[tuple[int, int], ...] = ()

    @property
    def is_volume(self) -> bool:
        """Whether the shape is that of a volume."""
        return self.shape[2] != 3

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """First and last slice of each object of a volume."""
        return self.depths or ((0, self.shape[0] - 1),) * self.objects

    def shortened(self, slices: int) -> StandardCase:
        """The same case with at most `slices` slices."""
        if not self.is_volume or self.shape[0] <= slices:
            return self
        return replace(self, name=f"{self.name}[{slices} slices]", shape=(slices, *self.shape[1:]))

    def arrays(self) -> dict[str, np.ndarray]:
        """Seeded content: bright discs or ellipsoids on noise, each object filling most of a volume's depth."""
        rng = np.random.default_rng(len(self.name) + self.shape[0])
        height, width = self.shape[1:] if self.is_volume else self.shape[:2]
        coarse = rng.integers(20, 90, (height // 16 + 1, width // 16 + 1)).astype(np.uint8)
        ground = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        columns = int(np.ceil(np.sqrt(self.objects * width / height)))
        cell_x, cell_y = width / columns, height / np.ceil(self.objects / columns)
        centres = [((k % columns + 0.5) * cell_x, (k // columns + 0.5) * cell_y) for k in range(self.objects)]
        radius = 0.35 * min(cell_x, cell_y)
        depth = self.shape[0] if self.is_volume else 1
        imgs = np.empty((depth, height, width), np.uint8)
        for z in range(depth):
            imgs[z] = ground
            swell = np.sin(np.pi * (z + 1) / (depth + 1)) if self.is_volume else 1.0
            for k, (x, y) in enumerate(centres):
                level = int(150 + 100 * ((k * 7) % 10) / 10)
                cv2.circle(imgs[z], (int(x), int(y)), max(2, int(radius * swell)), level, -1)
        boxes = []
        for (x, y), (first, last) in zip(centres, self.ranges, strict=True):
            low, high = (
                (max(0, int(x - radius)), max(0, int(y - radius))),
                (
                    min(width - 1, int(x + radius)),
                    min(height - 1, int(y + radius)),
                ),
            )
            boxes.append([*low, first, *high, last] if self.is_volume else [*low, *high])
        if not self.is_volume:
            return {"imgs": np.repeat(imgs[0][..., None], 3, axis=2), "boxes": np.array(boxes)}
        return {"imgs": imgs, "boxes": np.array(boxes), "spacing": np.ones(3)}


# Six objects with 182 object-slices on 46 slices, counted without both ends, as the published script does.
SIX_OBJECTS = StandardCase("3DBox_six", (60, 512, 512), 6, ((6, 53), (8, 47), (12, 47), (16, 45), (20, 41), (22, 39)))
FOUR_BOXES = StandardCase("2DBox_four", (2604, 1726, 3), 4)
STANDARD = (
    StandardCase("3DBox_CT_0566", (287, 512, 512), 6),
    StandardCase("3DBox_CT_0888", (237, 512, 512), 6),
    StandardCase("3DBox_CT_0860", (246, 512, 512), 1),
    StandardCase("3DBox_MR_0621", (115, 400, 400), 6),
    StandardCase("3DBox_MR_0121", (64, 290, 320), 6),
    StandardCase("3DBox_MR_0179", (84, 512, 512), 1),
    StandardCase("3DBox_PET_0001", (264, 200, 200), 1),
    StandardCase("2DBox_US_0525", (256, 256, 3), 1),
    StandardCase("2DBox_X-Ray_0053", (320, 640, 3), 34),
    StandardCase("2DBox_Dermoscopy_0003", (3024, 4032, 3), 1),
    StandardCase("2DBox_Endoscopy_0086", (480, 560, 3), 1),
    StandardCase("2DBox_Fundus_0003", (2048, 2048, 3), 1),
    StandardCase("2DBox_Microscope_0008", (1536, 2040, 3), 19),
    StandardCase("2DBox_Microscope_0016", (1920, 2560, 3), 241),
)
# Small enough for two minutes on two cores; the volume is shortened.
QUICK = (
    StandardCase("2DBox_US_0525", (256, 256, 3), 1),
    StandardCase("2DBox_X-Ray_0053", (320, 640, 3), 34),
    StandardCase("3DBox_MR_0121", (64, 290, 320), 6).shortened(6),
)
