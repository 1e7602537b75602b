"""An encoder whose matrix products and convolutions are in int8, calibrated on images; both runtimes load it."""

import logging
from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# NNCF reports itself over the network unless this import, which has to come first, keeps it from doing so.
from ..engine.backends.offline_openvino import openvino  # noqa: F401
from ..engine.preprocess import to_frame
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


def quantise(encoder: onnx.ModelProto, images: list[np.ndarray]) -> onnx.ModelProto:
    """Static quantisation after training by NNCF (https://github.com/openvinotoolkit/nncf).

    Weights are int8 per output channel, activations int8 per tensor and symmetric. Products within the attention,
    softmax, normalisations and sums stay float: there, changing the type costs more time than int8 gains. Outlying
    channels are smoothed (Xiao et al., "SmoothQuant", 2023, https://arxiv.org/abs/2211.10438), and the shift of the
    layers' means is added to their biases.

    Parameters
    ----------
    encoder : onnx.ModelProto
        With float32 weights; left as it is.
    images : list of ndarray
        Its inputs, as `frames` makes them.

    Returns
    -------
    onnx.ModelProto
        Pairs of QuantizeLinear and DequantizeLinear around what is quantised; the same metadata.
    """
    nncf.set_log_level(logging.WARNING)
    constants = {constant.name for constant in encoder.graph.initializer}
    products = [node for node in encoder.graph.node if node.op_type == "MatMul"]
    within_attention = [node.name for node in products if constants.isdisjoint(node.input)]
    dataset = nncf.Dataset(images, lambda image: {"image": image})
    quantised = nncf.quantize(
        encoder,
        dataset,
        preset=nncf.QuantizationPreset.PERFORMANCE,
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(names=within_attention),
    )
    del quantised.metadata_props[:]
    helper.set_model_props(quantised, {entry.key: entry.value for entry in encoder.metadata_props})
    return quantised


def halve_floats(model: onnx.ModelProto) -> None:
    """Store the large float constants that are left in half precision, cast back at load."""
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
