"""Runs a 2D case through the published pipeline in eager PyTorch, as a whole process from its start to the file.

    python benchmarks/published.py THREADS weights.pth case.npz segs.npz
    python benchmarks/published.py THREADS weights.pth

The second form ends when the network is ready. The network is the project's own; imports and order of work are the
published script's. Only the script's picture of each case is left out.
"""

import sys
from importlib import import_module
from importlib.util import find_spec

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from litemedsam.engine.inference.automatic_prompts import AutomaticPrompts
from litemedsam.engine.inference.prompt import Target
from litemedsam.models import SwinLiteMedSAM
from litemedsam.models.swin_litemedsam import ImageFeatures

SIDE = 256
# Further imports of the published script, see https://github.com/RuochenGao/Swin_LiteMedSAM (docker/infer.py).
IMPORTED = ("tqdm", "pandas", "matplotlib.pyplot")


@torch.inference_mode()
def segment(model: SwinLiteMedSAM, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Labels uint16 (H, W) of an image uint8 (H, W, 3) and its boxes (n, 4)."""
    height, width = image.shape[:2]
    scale = SIDE / max(height, width)
    rows, columns = int(height * scale + 0.5), int(width * scale + 0.5)
    small = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32)
    small = (small - small.min()) / max(float(small.max() - small.min()), 1e-8)
    pixels = np.zeros((SIDE, SIDE, 3), np.float32)
    pixels[:rows, :columns] = small
    embedding, skips = model.image_encoder(torch.from_numpy(pixels).permute(2, 0, 1)[None])
    labels = np.zeros((height, width), np.uint16)
    source, foreground = AutomaticPrompts(0), np.any(pixels, axis=2)
    for number, box in enumerate(boxes, start=1):
        prompt = source.prompt(Target(number), (box * scale).astype(np.float32), foreground)
        # Repeated for every prompt, as published.
        features = ImageFeatures(embedding, *model.mask_decoder.image_only(skips))
        scribble = np.asarray(prompt.scribble, np.float32)[None, None]
        arrays = (prompt.box[None], np.asarray(prompt.points)[None], scribble)
        logits, _ = model.decode(features, *(torch.from_numpy(array) for array in arrays))
        whole = F.interpolate(logits[..., :rows, :columns], (height, width), mode="bilinear", align_corners=False)
        labels[(whole.sigmoid() > 0.5)[0, 0].numpy()] = number
    return labels


def missing() -> list[str]:
    """The modules of `IMPORTED` that are not installed; without them, this baseline starts faster than the script."""
    return [name for name in IMPORTED if find_spec(name.split(".")[0]) is None]


def main(threads: str, weights: str, case: str | None = None, out: str | None = None) -> None:
    """See the module's text."""
    for name in set(IMPORTED) - set(missing()):
        import_module(name)
    torch.set_num_threads(int(threads))
    model = SwinLiteMedSAM().eval()
    model.load_state_dict(torch.load(weights, weights_only=True))
    if case is not None and out is not None:
        arrays = np.load(case)
        np.savez_compressed(out, segs=segment(model, arrays["imgs"], arrays["boxes"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
