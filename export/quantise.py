"""Writes an encoder with int8 matrix products and convolutions, calibrated on images; both runtimes load it."""

import logging
from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Keep this import first: it stops NNCF from reporting over the network.
from ..engine.backends.offline_openvino import openvino  # noqa: F401
from ..engine.inference.frame import to_frame
from .calibration import NamedCase
from .graph import LARGE

import nncf  # isort: skip


def frames(cases: Iterable[NamedCase], size: int) -> list[np.ndarray]:
    """The first view of each case as the network sees it, float32 (1, 3, size, size).

    Raises
    ------
    LiteMedSamError
        When a case cannot be read.
    """
    return [to_frame(case.views()[0].image, size)[0][None] for case in cases]


def _kept_float(graph: onnx.GraphProto) -> list[str]:
    """Names of the layers that stay float.

    In products within the attention and in depthwise convolutions, changing the type costs more than int8 gains. The
    first convolutions, up to one activation away from the image, pass their error to all other layers.
    """
    constants = {constant.name for constant in graph.initializer}
    kept, near_the_image = [], {port.name for port in graph.input}
    for node in graph.node:
        if node.op_type == "MatMul" and constants.isdisjoint(node.input):
            kept.append(node.name)
        if node.op_type == "Conv":
            grouped = any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
            if grouped or node.input[0] in near_the_image:
                kept.append(node.name)
            if node.input[0] in {port.name for port in graph.input}:
                near_the_image.add(node.output[0])
        if node.op_type == "Gelu" and node.input[0] in near_the_image:
            near_the_image.add(node.output[0])
    return kept


def quantise(encoder: onnx.ModelProto, images: list[np.ndarray]) -> onnx.ModelProto:
    """Quantise an encoder statically after training, with NNCF (https://github.com/openvinotoolkit/nncf).

    Weights are int8 per output channel, activations int8 per tensor and symmetric; `_kept_float`, softmax,
    normalisations and sums stay float. Outlying channels are smoothed (Xiao et al., "SmoothQuant", 2023,
    https://arxiv.org/abs/2211.10438), and the shift of the layers' means is added to their biases.

    Parameters
    ----------
    encoder : onnx.ModelProto
        With float32 weights; not changed.
    images : list of ndarray
        Its inputs, as `frames` makes them.

    Returns
    -------
    onnx.ModelProto
        With pairs of QuantizeLinear and DequantizeLinear around quantised tensors, and the same metadata.
    """
    nncf.set_log_level(logging.WARNING)
    dataset = nncf.Dataset(images, lambda image: {"image": image})
    quantised: onnx.ModelProto = nncf.quantize(
        encoder,
        dataset,
        preset=nncf.QuantizationPreset.PERFORMANCE,
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(names=_kept_float(encoder.graph)),
    )
    del quantised.metadata_props[:]
    helper.set_model_props(quantised, {entry.key: entry.value for entry in encoder.metadata_props})
    return quantised


def halve_floats(model: onnx.ModelProto) -> None:
    """Store the remaining large float constants in half precision; the graph casts them back at load."""
    graph = model.graph
    scales = {node.input[1] for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")}
    casts = []
    for constant in graph.initializer:
        array = numpy_helper.to_array(constant)
        if array.dtype != np.float32 or array.size <= LARGE or constant.name in scales:
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
