"""Parts of a network compared with the graphs that are made of them."""

from collections.abc import Callable

import numpy as np
import onnxruntime
import torch
from litemedsam.export.graph import GraphWriter, Port

F32 = np.dtype(np.float32)
TOLERANCE = 2e-5


def randomised(layer: torch.nn.Module) -> torch.nn.Module:
    """The layer in evaluation mode with every parameter and statistic away from its initial value."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in layer.state_dict().items():
        if tensor.is_floating_point():
            values = torch.rand(tensor.shape, generator=generator)
            tensor.copy_(values + 0.5 if "running_var" in name or tensor.ndim == 1 else (values - 0.5) * 0.4)
    return layer.eval()


def outcome(build: Callable[[GraphWriter, str], str], x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What a graph that `build` makes of one input gives for it, float32 of a shape."""
    g = GraphWriter()
    g.named(build(g, "x"), "y")
    graph = g.model("part", [Port("x", F32, x.shape)], [Port("y", F32, shape)], {})
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.ascontiguousarray(x)})
    return np.asarray(found)


@torch.inference_mode()
def compare(layer: torch.nn.Module, build: Callable[[GraphWriter, str], str], x: torch.Tensor, as_matrix: bool) -> None:
    """A graph that `build` makes of a channels-first map or of a matrix (positions, channels) against the layer."""
    expected, given = layer(x).numpy(), x.numpy()
    if as_matrix:
        expected, given = (np.moveaxis(part, 1, -1).reshape(-1, part.shape[1]) for part in (expected, given))
    found = outcome(build, given, expected.shape)
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()
