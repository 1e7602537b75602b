"""Pictures of a result: image, boxes, masks; for a volume a contact sheet and a film of its slices."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ...atomic import write_atomically
from ...errors import LiteMedSamError
from ..scan.colours import colour
from ..system.optional import needed

if TYPE_CHECKING:
    from ..case import Case
    from ..scan.geometry import View

_TILES = 16
_TILE_SIDE = 320
_LARGEST_SIDE = 1600
_SMALLEST_SIDE = 512
_OPACITY = 0.35
# Pixels of a picture's side for each pixel of a line's thickness.
_SIDE_PER_LINE = 400
# More objects than this have thin boxes without numbers.
_CROWD = 12
_FILM_SIDE = 512
_FRAMES_PER_SECOND = 10


def draw(
    image: np.ndarray,
    labels: np.ndarray,
    boxes: dict[int, np.ndarray],
    side: int,
    spacing: tuple[float, float] = (1.0, 1.0),
    values: Sequence[int] = (),
) -> np.ndarray:
    """Draw masks and boxes over an image, with the objects' numbers where there are several.

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
    spacing : tuple of float
        Distance between pixels along x and y; the picture shows true proportions.
    values : sequence of int
        What is written for the labels 1, 2, …; the labels themselves when empty.

    Returns
    -------
    ndarray
        uint8 (h, w, 3) in BGR.
    """
    rows, columns = labels.shape
    along, down = (side / max(columns * spacing[0], rows * spacing[1]) * part for part in spacing)
    zoom = np.array([along, down])
    size = max(1, round(columns * along)), max(1, round(rows * down))
    grey = image.ndim == 2
    picture = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_GRAY2BGR if grey else cv2.COLOR_RGB2BGR)
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if zoom.max() < 1 else cv2.INTER_LINEAR)
    enlarged = cv2.resize(labels.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    width = math.ceil(side / _SIDE_PER_LINE)
    outlines = {}
    for number in boxes:
        mask = (enlarged == number).astype(np.uint8)
        inside = mask.astype(bool)
        tint = np.array(colour(number)[::-1], np.float32)
        picture[inside] = (picture[inside] * (1 - _OPACITY) + tint * _OPACITY).astype(np.uint8)
        outlines[number], _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    crowded = len(boxes) > _CROWD
    for number, box in boxes.items():
        low = tuple(int(c) for c in box[:2] * zoom)
        high = tuple(int(c) for c in (box[2:] + 1) * zoom)
        for line, thickness in _over_dark(number, 1 if crowded else width, not crowded):
            cv2.rectangle(picture, low, high, line, thickness)
    for number, found in outlines.items():
        for line, thickness in _over_dark(number, width):
            cv2.drawContours(picture, found, -1, line, thickness)
    if len(boxes) > 1 and not crowded:
        for number, box in boxes.items():
            at = int(box[0] * zoom[0]) + 2 * width + 1, int((box[3] + 1) * zoom[1]) - 2 * width - 2
            _write(picture, str(values[number - 1] if values else number), at)
    return picture


def _over_dark(number: int, thickness: int, dark: bool = True) -> list[tuple[tuple[int, int, int], int]]:
    """Colour and thickness of an object's lines; a dark one beneath keeps the bright one visible on bright images."""
    bright = (colour(number)[::-1], thickness)
    return [((0, 0, 0), thickness + 2), bright] if dark else [bright]


def _write(picture: np.ndarray, text: str, at: tuple[int, int]) -> None:
    for line, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, line, thickness, cv2.LINE_AA)


def _proportions(case: Case) -> tuple[float, float]:
    return (1.0, 1.0) if case.spacing is None else (float(case.spacing[0]), float(case.spacing[1]))


def _with_objects(case: Case) -> list[int]:
    first, last = case.boxes[:, 2], case.boxes[:, 5]
    return [z for z in range(case.grid[0]) if ((first <= z) & (z <= last)).any()]


def _slice(case: Case, labels: np.ndarray, z: int, side: int, view: View, values: Sequence[int]) -> np.ndarray:
    boxes = {n: box[[0, 1, 3, 4]] for n, box in enumerate(case.boxes, start=1) if box[2] <= z <= box[5]}
    tile = draw(case.pixels[z], labels[z], boxes, side, _proportions(case), values)
    axis, index = view.stored_slice(z)
    _write(tile, f"{axis} {index}", (6, 18))
    return tile


def overlay(case: Case, labels: np.ndarray, view: View, values: Sequence[int] = ()) -> np.ndarray:
    """The picture of a case.

    Parameters
    ----------
    case : Case
    labels : ndarray
        As in `Segmentation`.
    view : View
        How the case was turned, so that slices are named as in the file.
    values : sequence of int
        The objects' numbers in the file, see `draw`.

    Returns
    -------
    ndarray
        uint8 (h, w, 3) in BGR; for a volume up to sixteen slices that contain objects, evenly chosen.
    """
    if not case.is_volume:
        side = min(max((*case.grid, _SMALLEST_SIDE)), _LARGEST_SIDE)
        return draw(case.pixels, labels, dict(enumerate(case.boxes, start=1)), side, _proportions(case), values)
    slices = _with_objects(case)
    picks = np.unique(np.linspace(0, len(slices) - 1, min(len(slices), _TILES)).round().astype(int))
    tiles = [_slice(case, labels, slices[k], _TILE_SIDE, view, values) for k in picks]
    columns = math.ceil(math.sqrt(len(tiles)))
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)])


def film(case: Case, labels: np.ndarray, view: View, values: Sequence[int] = ()) -> Iterator[np.ndarray]:
    """The slices of a volume that contain objects, one after the other, uint8 (h, w, 3) in BGR."""
    for z in _with_objects(case):
        yield _slice(case, labels, z, _FILM_SIDE, view, values)


def png_bytes(case: Case, labels: np.ndarray, view: View, values: Sequence[int] = ()) -> bytes:
    """`overlay` as a PNG file."""
    _, encoded = cv2.imencode(".png", overlay(case, labels, view, values))
    return encoded.tobytes()


def write_overlay(path: Path, case: Case, labels: np.ndarray, view: View, values: Sequence[int] = ()) -> None:
    """Write `overlay` as a PNG; see `write_atomically`."""
    content = png_bytes(case, labels, view, values)
    write_atomically(path, lambda file: file.write(content))


def _gif(frames: Iterator[np.ndarray]) -> bytes:
    pillow = needed("PIL.Image", "images")
    first, *others = (pillow.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)) for frame in frames)
    content = BytesIO()
    pause = 1000 // _FRAMES_PER_SECOND
    first.save(content, "GIF", save_all=True, append_images=others, duration=pause, loop=0)
    return content.getvalue()


def _mp4(frames: Iterator[np.ndarray]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        writer = None
        for frame in frames:
            # The codec knows even sides only.
            frame = frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]
            if writer is None:
                code = cv2.VideoWriter.fourcc(*"mp4v")
                writer = cv2.VideoWriter(str(path), code, _FRAMES_PER_SECOND, (frame.shape[1], frame.shape[0]))
            writer.write(frame)
        if writer is not None:
            writer.release()
        if not path.exists() or path.stat().st_size == 0:
            raise LiteMedSamError("OpenCV cannot write mp4 here", "use --overlay gif")
        return path.read_bytes()


FILMS: dict[str, Callable[[Iterator[np.ndarray]], bytes]] = {"gif": _gif, "mp4": _mp4}


def write_film(path: Path, kind: str, case: Case, labels: np.ndarray, view: View, values: Sequence[int] = ()) -> None:
    """Write `film` as a gif or mp4; see `write_atomically`.

    Raises
    ------
    LiteMedSamError
        When it cannot be written.
    """
    content = FILMS[kind](film(case, labels, view, values))
    write_atomically(path, lambda file: file.write(content))
