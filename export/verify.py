"""Compares a written bundle with the PyTorch network, in every runtime."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..engine.backends.registry import BACKENDS, load_graph
from ..engine.bundle.info import DECODER, ENCODER
from ..models.interface import PromptableModel

PROMPTS = 3
# Greatest deviation relative to the greatest magnitude, in float32.
TOLERANCE = {"single": 2e-5, "half": 1e-2}


@dataclass(frozen=True)
class Deviation:
    """The deviation of a runtime's result from PyTorch's.

    Attributes
    ----------
    backend, output : str
    greatest : float
        Greatest absolute difference.
    magnitude : float
        Greatest absolute value of PyTorch's result.
    """

    backend: str
    output: str
    greatest: float
    magnitude: float

    @property
    def relative(self) -> float:
        """`greatest` over `magnitude`."""
        return self.greatest / max(self.magnitude, 1e-12)


def sample_inputs(frame: int, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A seeded image float32 (1, 3, S, S) and three prompts by input name, boxes of all sizes."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((1, 3, 16, 16), np.float32))
    image = torch.nn.functional.interpolate(coarse, size=(frame, frame), mode="bicubic").clamp(0, 1).numpy()
    image[..., frame * 3 // 4 :, :] = 0
    corners = np.sort(rng.uniform(0, frame, (PROMPTS, 2, 2)), axis=1).astype(np.float32)
    low, high = corners[:, :1], corners[:, 1:]
    points = (low + (high - low) * rng.random((PROMPTS, 4, 2))).astype(np.float32)
    scribbles = (rng.random((PROMPTS, frame, frame)) < 0.02).astype(np.uint8)
    scribbles[-1] = 0
    labels = rng.integers(-1, 2, (PROMPTS, 4))
    return image, {"boxes": corners.reshape(PROMPTS, 4), "points": points, "labels": labels, "scribbles": scribbles}


@torch.inference_mode()
def reference(model: PromptableModel, image: np.ndarray, prompts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """PyTorch's results for `sample_inputs`: ``image_embedding`` (1, p, 256), ``logits`` (n, S, S), ``iou`` (n,)."""
    features = model.encode(torch.from_numpy(image))
    tensors = {name: torch.from_numpy(array) for name, array in prompts.items()}
    tensors["scribbles"] = tensors["scribbles"][:, None].float()
    logits, iou = model.decode(features, **{name: tensors[name] for name in model.prompts})
    return {
        "image_embedding": features.image_embedding.flatten(2).mT.numpy(),
        "logits": logits[:, 0].numpy(),
        "iou": iou.numpy(),
    }


def deviations(model: PromptableModel, bundle: Path, threads: int) -> list[Deviation]:
    """Run the bundle's graphs in every back end on seeded inputs.

    Parameters
    ----------
    model : PromptableModel
    bundle : Path
    threads : int

    Returns
    -------
    list of Deviation
        For the embedding, the logits and the predicted IoU; prompts run together and one by one.
    """
    image, prompts = sample_inputs(model.frame)
    expected = reference(model, image, prompts)
    chosen = {name: prompts[name] for name in model.prompts}
    if "labels" in chosen:
        chosen["scribbles"] = chosen["scribbles"].astype(np.float32)
    found = []
    for backend in BACKENDS:
        encoder = load_graph(bundle / ENCODER, backend, "f32", threads)
        decoder = load_graph(bundle / DECODER, backend, "f32", threads)
        embedding = encoder.run({"image": image})
        together = decoder.run({**embedding, **chosen})
        single = [
            decoder.run({**embedding, **{name: array[k : k + 1] for name, array in chosen.items()}})
            for k in range(PROMPTS)
        ]
        results = {"image_embedding": [embedding["image_embedding"]]}
        for name in ("logits", "iou"):
            results[name] = [together[name], np.concatenate([one[name] for one in single])]
        for name, arrays in results.items():
            greatest = max(float(np.abs(array - expected[name]).max()) for array in arrays)
            found.append(Deviation(backend, name, greatest, float(np.abs(expected[name]).max())))
        encoder.close()
        decoder.close()
    return found
