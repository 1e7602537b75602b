"""Make the two example cases of this folder: a 2D and a 3D phantom with boxes and masks.

python examples/make_examples.py [FOLDER]
"""

import sys
from pathlib import Path

import cv2
import numpy as np


def texture(rng: np.random.Generator, shape: tuple[int, int], grain: int) -> np.ndarray:
    """Smooth noise, float32 of the shape, mean 0 and deviation 1."""
    coarse = rng.normal(size=(shape[0] // grain + 3, shape[1] // grain + 3)).astype(np.float32)
    smooth = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (smooth - smooth.mean()) / smooth.std()


def blob(shape: tuple[int, int], centre: tuple[float, float], radii: tuple[float, float], waves: float) -> np.ndarray:
    """A wavy ellipse, bool of the shape; centre and radii are (y, x) in pixels."""
    y, x = np.indices(shape)
    dy, dx = (y - centre[0]) / radii[0], (x - centre[1]) / radii[1]
    return np.hypot(dy, dx) < 1 + 0.12 * np.sin(3 * np.arctan2(dy, dx) + waves)


def tight_box(mask: np.ndarray) -> list[int]:
    """First and last true index of each axis, x first: 2 · rank numbers, ends included."""
    ranges = [(int(index.min()), int(index.max())) for index in np.nonzero(mask)[::-1]]
    return [low for low, _ in ranges] + [high for _, high in ranges]


def image_case() -> dict[str, np.ndarray]:
    """A grey 320 × 420 image with three organs, as RGB."""
    rng, shape = np.random.default_rng(1), (320, 420)
    body = blob(shape, (160, 210), (145, 195), 0.4)
    organs = [
        blob(shape, (130, 130), (55, 70), 1.0),
        blob(shape, (150, 290), (60, 45), 2.5),
        blob(shape, (240, 200), (28, 34), 4.0),
    ]
    grey = np.where(body, 90 + 10 * texture(rng, shape, 24), 8)
    gts = np.zeros(shape, np.uint8)
    for number, (organ, level) in enumerate(zip(organs, (165, 45, 205), strict=True), start=1):
        grey = np.where(organ, level + 8 * texture(rng, shape, 9), grey)
        gts[organ] = number
    grey = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.2) + rng.normal(0, 5, shape)
    imgs = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return {"imgs": imgs, "gts": gts, "boxes": np.array([tight_box(gts == k) for k in (1, 2, 3)])}


def volume_case() -> dict[str, np.ndarray]:
    """A volume of 16 slices of 128 × 112 voxels with two organs."""
    rng, shape = np.random.default_rng(2), (16, 128, 112)
    imgs, gts = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for z in range(shape[0]):
        grey = np.where(blob(shape[1:], (64, 56), (58, 50), 0.3), 80 + 6 * texture(rng, shape[1:], 16), 5)
        for number, (middle, reach, centre, radius, level) in enumerate(
            [(7, 6.0, (58, 40), 24, 170), (9, 4.5, (72, 78), 17, 35)], start=1
        ):
            share = 1 - ((z - middle) / reach) ** 2
            if share > 0.05:
                organ = blob(shape[1:], centre, (radius * share**0.5, radius * 0.9 * share**0.5), 0.1 * z)
                grey = np.where(organ, level + 5 * texture(rng, shape[1:], 8), grey)
                gts[z][organ] = number
        grey = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 0.8) + rng.normal(0, 4, shape[1:])
        imgs[z] = np.clip(grey, 0, 255)
    boxes = np.array([tight_box(gts == k) for k in (1, 2)])
    return {"imgs": imgs, "gts": gts, "boxes": boxes, "spacing": np.array([1.0, 1.0, 4.0])}


def main() -> None:
    """Write both cases into the folder given, or beside this script."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    np.savez_compressed(folder / "2DBox_phantom.npz", **image_case())
    np.savez_compressed(folder / "3DBox_phantom.npz", **volume_case())


if __name__ == "__main__":
    main()
