"""A bundle of two hand-made graphs of a few operators: every part of the engine runs, in milliseconds."""

from pathlib import Path

import numpy as np
import onnx
from litemedsam.engine.bundle.info import DECODER, ENCODER, BundleInfo
from onnx import TensorProto, helper, numpy_helper

FRAME = 64
INFO = BundleInfo(
    model="small",
    frame=FRAME,
    prompts=("boxes", "points", "scribbles"),
    embedding=("image_embedding",),
    weights_sha256="0" * 64,
    precision="f32",
    storage="single",
    description="",
    tools="",
)


def _saved(path: Path, name: str, nodes, inputs, outputs, constants: dict[str, np.ndarray], info: BundleInfo) -> None:
    graph = helper.make_graph(
        nodes, name, inputs, outputs, [numpy_helper.from_array(array, key) for key, array in constants.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, info.to_metadata())
    onnx.save(model, path)


def write_tiny_bundle(folder: Path, info: BundleInfo = INFO) -> Path:
    """Write the bundle into a folder, which is made when absent.

    The embedding is the mean over the colours. A prompt's logits are positive where the image is bright, inside its
    box and around its points and scribble; its score is their mean.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size, node = info.frame, helper.make_node
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, size, size))
    embedding = helper.make_tensor_value_info("image_embedding", TensorProto.FLOAT, (1, size, size))
    mean = [node("ReduceMean", ["image"], ["image_embedding"], axes=[1], keepdims=0)]
    _saved(folder / ENCODER, "encoder", mean, [image], [embedding], {}, info)

    prompts = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ("n", 4)),
        helper.make_tensor_value_info("points", TensorProto.FLOAT, ("n", 4, 2)),
        helper.make_tensor_value_info("scribbles", TensorProto.UINT8, ("n", size, size)),
    ]
    constants: dict[str, np.ndarray] = {
        "xs": np.arange(size, dtype=np.float32).reshape(1, 1, size),
        "ys": np.arange(size, dtype=np.float32).reshape(1, size, 1),
        "corners": np.array([1, 1, 1, 1], np.int64),
        "last": np.array([2], np.int64),
        "level": np.array(0.3, np.float32),
        "share": np.array(0.001, np.float32),
    }
    nodes = [
        node("Unsqueeze", ["boxes", "last"], ["boxes_3d"]),
        node("Split", ["boxes_3d", "corners"], ["x0", "y0", "x1", "y1"], axis=1),
        node("Sub", ["xs", "x0"], ["from_left"]),
        node("Sub", ["x1", "xs"], ["to_right"]),
        node("Sub", ["ys", "y0"], ["from_top"]),
        node("Sub", ["y1", "ys"], ["to_bottom"]),
        node("Min", ["from_left", "to_right", "from_top", "to_bottom"], ["inside"]),
        node("Sub", ["image_embedding", "level"], ["bright"]),
        node("Cast", ["scribbles"], ["strokes"], to=TensorProto.FLOAT),
        node("ReduceMean", ["points"], ["place"], axes=[1, 2], keepdims=1),
        node("Mul", ["place", "share"], ["nudge"]),
        node("Add", ["bright", "strokes"], ["wanted"]),
        node("Add", ["wanted", "nudge"], ["wanted_here"]),
        node("Min", ["inside", "wanted_here"], ["logits"]),
        node("ReduceMean", ["logits"], ["iou"], axes=[1, 2], keepdims=0),
    ]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("n", size, size)),
        helper.make_tensor_value_info("iou", TensorProto.FLOAT, ("n",)),
    ]
    _saved(folder / DECODER, "decoder", nodes, [embedding, *prompts], outputs, constants, info)
    return folder
