"""Draw the model card's picture: the drawn scenes that the default model segments worst.

python examples/make_failures.py [FILE]
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from litemedsam.training.prompting import tight_box
from litemedsam.training.scenes import FAMILIES, draw_scene

from litemedsam import Predictor
from litemedsam.overlap import dice

# Beyond the seeds of any training step: those have three numbers.
_SEED = 99
_SCENES, _SIDE, _TILE, _COLUMNS = 8, 256, 256, 4
_TRUTH, _FOUND, _BOX = (0, 220, 0), (0, 0, 255), (255, 200, 0)


def tile(image: np.ndarray, truth: np.ndarray, found: np.ndarray, box: np.ndarray, title: str) -> np.ndarray:
    """The object's surroundings, its outline green, the mask's red, the box blue: uint8 (T + 20, T, 3), BGR."""
    centre, reach = (box[:2] + box[2:]) / 2, 0.8 * max(box[2:] - box[:2]) + 4
    scale = _TILE / (2 * reach)
    matrix = np.array([[scale, 0, _TILE / 2 - scale * centre[0]], [0, scale, _TILE / 2 - scale * centre[1]]])
    colour = image[..., ::-1] if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    view = cv2.warpAffine(np.ascontiguousarray(colour), matrix, (_TILE, _TILE), flags=cv2.INTER_LINEAR)
    for mask, line in ((truth, _TRUTH), (found, _FOUND)):
        shown = cv2.warpAffine(mask.astype(np.uint8), matrix, (_TILE, _TILE), flags=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(shown, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(view, outlines, -1, line, 1)
    corners = (matrix @ np.array([[box[0], box[2] + 1], [box[1], box[3] + 1], [1, 1]])).round().astype(int)
    cv2.rectangle(view, tuple(map(int, corners[:, 0])), tuple(map(int, corners[:, 1])), _BOX, 1)
    head = np.full((20, _TILE, 3), 255, np.uint8)
    cv2.putText(head, title, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([head, view])


def worst_of(predictor: Predictor, family: str, number: int) -> tuple[float, np.ndarray]:
    """DSC and tile of the worst object of some scenes of a family."""
    found = []
    for index in range(_SCENES):
        sample = draw_scene(np.random.default_rng([_SEED, number, index]), _SIDE, family)
        boxes = np.stack([tight_box(mask) for mask in sample.masks])
        predictor.set_image(sample.image)
        masks = predictor.predict(boxes).masks
        figures = [dice(mask, truth, empty=1.0) for mask, truth in zip(masks, sample.masks, strict=True)]
        k = int(np.argmin(figures))
        title = f"{family}, DSC {figures[k]:.2f}"
        found.append((figures[k], tile(sample.image, sample.masks[k], masks[k], boxes[k], title)))
    return min(found, key=lambda pair: pair[0])


def main() -> None:
    """Write the picture into the file given, or beside the model card."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "models" / "failures.png"
    predictor = Predictor(precision="f32")
    worst = sorted((worst_of(predictor, family, k) for k, family in enumerate(FAMILIES)), key=lambda pair: pair[0])
    tiles = [picture for _, picture in worst[: 2 * _COLUMNS]]
    rows = [np.hstack(tiles[start : start + _COLUMNS]) for start in range(0, len(tiles), _COLUMNS)]
    cv2.imwrite(str(path), np.vstack(rows), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
