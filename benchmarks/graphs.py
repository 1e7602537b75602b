"""Times the two graphs alone, in every precision, and the machine's own speed."""

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from litemedsam.engine.backends.offline_openvino import core, openvino
from litemedsam.engine.backends.registry import load_graph, native_precisions
from litemedsam.engine.bundle.info import DECODER, BundleInfo
from litemedsam.engine.bundle.onnx_metadata import read_metadata
from litemedsam.engine.bundle.precision import encoder_file, floats_beside
from litemedsam.engine.inference.streams import streams_of

# For one 256-pixel slice through Swin-LiteMedSAM's encoder graph, image-only decoder work included.
ENCODER_GFLOP = 104.5


@dataclass(frozen=True)
class GraphTiming:
    """Seconds of a bundle's graphs.

    Attributes
    ----------
    model, backend, precision : str
    encode, decode : float
        One image and one prompt, each with all threads.
    encode_each, decode_each : float
        Per image and per prompt when several run at once, as in volumes and with many boxes.
    """

    model: str
    backend: str
    precision: str
    encode: float
    decode: float
    encode_each: float
    decode_each: float


def matrix_product_speed(threads: int, repeats: int) -> float:
    """GFLOP/s of float32 matrix products of the encoder's sizes, in NumPy or OpenVINO, whichever is faster."""
    rng = np.random.default_rng(0)
    a, b = rng.random((4096, 1280), np.float32), rng.random((1280, 1280), np.float32)
    operations = openvino.opset13
    left = operations.parameter(a.shape, np.float32)
    model = openvino.Model([operations.matmul(left, operations.constant(b), False, False)], [left])
    properties = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    request = core().compile_model(model, "CPU", properties).create_infer_request()
    request.set_input_tensor(openvino.Tensor(a))
    seconds = min(median(_timed(product, 3 * repeats)) for product in (lambda: a @ b, request.infer))
    return 2e-9 * a.shape[0] * a.shape[1] * b.shape[1] / seconds


def _timed(work: Callable[[], object], repeats: int) -> list[float]:
    work()
    seconds = []
    for _ in range(repeats):
        start = perf_counter()
        work()
        seconds.append(perf_counter() - start)
    return seconds


def _alone(graph, feed: dict[str, np.ndarray], repeats: int) -> float:
    return median(_timed(lambda: graph.run(feed), repeats))


def _together(graph, feed: dict[str, np.ndarray], streams: int, repeats: int) -> float:
    with ThreadPoolExecutor(streams) as pool:
        list(pool.map(graph.run, [feed] * streams))
        start = perf_counter()
        list(pool.map(graph.run, [feed] * (streams * repeats)))
        return (perf_counter() - start) / (streams * repeats)


def time_graphs(bundle: Path, backend: str, precision: str, threads: int, repeats: int) -> GraphTiming:
    """Time a bundle's graphs.

    Parameters
    ----------
    bundle : Path
    backend : str
    precision : str
        One of the bundle's `litemedsam.engine.bundle.precision.available`.
    threads, repeats : int
    """
    encoder, floats = encoder_file(bundle, precision), floats_beside(precision, native_precisions(backend))
    info = BundleInfo.from_metadata(encoder, read_metadata(encoder))
    image: dict[str, np.ndarray] = {
        "image": np.random.default_rng(0).random((1, 3, info.frame, info.frame), np.float32)
    }
    prompt: dict[str, np.ndarray] = {
        "boxes": np.array([[40, 50, 180, 200]], np.float32),
        "points": np.full((1, 4, 2), 100, np.float32),
        "scribbles": np.zeros((1, info.frame, info.frame), np.uint8),
    }
    seconds = []
    feed = image
    for path in (encoder, bundle / DECODER):
        for streams in (1, streams_of(threads)):
            graph = load_graph(path, backend, floats, threads, streams)
            seconds.append(_alone(graph, feed, repeats) if streams == 1 else _together(graph, feed, streams, repeats))
            outputs = graph.run(feed)
            graph.close()
        feed = {**outputs, **{name: prompt[name] for name in info.prompts}}
    encode, encode_each, decode, decode_each = seconds
    return GraphTiming(info.model, backend, precision, encode, decode, encode_each, decode_each)


def untrained_litemedsam(folder: Path) -> Path:
    """Export LiteMedSAM with random weights, which cost as much as trained weights; needs PyTorch and ONNX."""
    import torch
    from litemedsam.export.writer import export_bundle
    from litemedsam.models import LiteMedSAM

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        checkpoint = Path(name) / "litemedsam.pth"
        torch.save(LiteMedSAM().state_dict(), checkpoint)
        export_bundle(checkpoint, folder)
    return folder
