"""A picture of a result: image, boxes, masks; a contact sheet for a volume."""

import math
from pathlib import Path

import cv2
import numpy as np

from .case import Case
from .io.atomic import write_atomically

_TILES = 16
_TILE_SIDE = 320
_LARGEST_SIDE = 1600
_SMALLEST_SIDE = 512
_OPACITY = 0.35


def colour(number: int) -> tuple[int, int, int]:
    """A colour (blue, green, red) for an object's number; neighbours in number are far apart in hue."""
    hue = (number * 0.618034) % 1.0
    pixel = np.uint8([[[int(hue * 180), 200, 255]]])
    return tuple(int(c) for c in cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0])


def draw(image: np.ndarray, labels: np.ndarray, boxes: dict[int, np.ndarray], side: int) -> np.ndarray:
    """Draw masks and boxes over an image.

    Parameters
    ----------
    image : ndarray
        uint8 (H, W) or (H, W, 3) in RGB.
    labels : ndarray
        (H, W), 0 for background.
    boxes : dict of int to ndarray
        Label to (4,), x_min, y_min, x_max, y_max in pixels.
    side : int
        Longer side of the picture, in pixels.

    Returns
    -------
    ndarray
        uint8 (h, w, 3) in BGR.
    """
    height, width = labels.shape
    zoom = side / max(height, width)
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    grey = image.ndim == 2
    picture = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_GRAY2BGR if grey else cv2.COLOR_RGB2BGR)
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    enlarged = cv2.resize(labels.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    for number, box in boxes.items():
        mask = (enlarged == number).astype(np.uint8)
        tint = np.array(colour(number), np.float32)
        inside = mask.astype(bool)
        picture[inside] = (picture[inside] * (1 - _OPACITY) + tint * _OPACITY).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        low = tuple(int(c * zoom) for c in box[:2])
        high = tuple(int((c + 1) * zoom) for c in box[2:])
        # A dark line beneath keeps the bright one visible on bright images.
        for line, thickness in (((0, 0, 0), 3), (colour(number), 1)):
            cv2.drawContours(picture, outlines, -1, line, thickness)
            cv2.rectangle(picture, low, high, line, thickness)
    return picture


def overlay(case: Case, labels: np.ndarray) -> np.ndarray:
    """The picture of a case.

    Parameters
    ----------
    case : Case
    labels : ndarray
        As in `Segmentation`.

    Returns
    -------
    ndarray
        uint8 (h, w, 3) in BGR; for a volume up to sixteen slices that bear objects, evenly chosen.
    """
    if not case.is_volume:
        side = min(max((*case.grid, _SMALLEST_SIDE)), _LARGEST_SIDE)
        boxes = dict(enumerate(case.boxes, start=1))
        return draw(case.pixels, labels, boxes, side)
    first, last = case.boxes[:, 2], case.boxes[:, 5]
    bearing = [z for z in range(len(labels)) if ((first <= z) & (z <= last)).any()]
    picks = np.unique(np.linspace(0, len(bearing) - 1, min(len(bearing), _TILES)).round().astype(int))
    tiles = []
    for z in (bearing[k] for k in picks):
        boxes = {n: box[[0, 1, 3, 4]] for n, box in enumerate(case.boxes, start=1) if box[2] <= z <= box[5]}
        tile = draw(case.pixels[z], labels[z], boxes, _TILE_SIDE)
        for line, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(tile, f"z {z}", (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, line, thickness, cv2.LINE_AA)
        tiles.append(tile)
    columns = math.ceil(math.sqrt(len(tiles)))
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)])


def write_overlay(path: Path, case: Case, labels: np.ndarray) -> None:
    """Write `overlay` as a PNG; see `write_atomically`."""
    _, encoded = cv2.imencode(".png", overlay(case, labels))
    write_atomically(path, lambda file: file.write(encoded.tobytes()))
