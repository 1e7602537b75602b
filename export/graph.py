"""Writes ONNX graphs, with one method per kind of layer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
IR_VERSION = 9
# Constants with more values than this are worth storing in half precision.
LARGE = 1024


@dataclass(frozen=True)
class Port:
    """A named input or output of a graph.

    Attributes
    ----------
    name : str
    dtype : numpy dtype
    shape : tuple of int or str
        A string stands for a size that varies, as in ONNX.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int | str, ...]


class GraphWriter:
    """Collects nodes and constants; every method returns the name of its result.

    Tensors are channels-last throughout: a linear layer, a layer normalisation and a 1×1 convolution then need
    no change of layout.

    Parameters
    ----------
    half_weights : bool
        Store constants of more than `LARGE` values in half precision, cast back at load.
    """

    def __init__(self, half_weights: bool = False):
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._half_weights = half_weights
        self._known: dict[tuple[np.dtype, tuple[int, ...], bytes], str] = {}
        self._count = 0

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind.lower()}_{self._count}"

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add any ONNX operator with one output."""
        output = self._name(kind)
        self._nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, value: ArrayLike) -> str:
        """Add a constant, or reuse an equal one; floats become float32, integers int64."""
        array = np.asarray(value)
        array = np.array(array, np.float32 if array.dtype.kind == "f" else np.int64, order="C")
        key = (array.dtype, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = self._stored(array)
        return self._known[key]

    def _stored(self, array: np.ndarray) -> str:
        name = self._name("constant")
        if self._half_weights and array.dtype == np.float32 and array.size > LARGE:
            self._constants.append(numpy_helper.from_array(array.astype(np.float16), name))
            return self.node("Cast", name, to=TensorProto.FLOAT)
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def named(self, tensor: str, name: str) -> str:
        """Rename a result to its name as the graph's output."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if old == tensor else old for old in names]
        return name

    def add(self, a: str, b: str) -> str:
        """Sum, with broadcasting."""
        return self.node("Add", a, b)

    def reshape(self, x: str, *shape: int) -> str:
        """Reshape; −1 is inferred."""
        return self.node("Reshape", x, self.constant(list(shape)))

    def transpose(self, x: str, *order: int) -> str:
        """Permute the axes."""
        return self.node("Transpose", x, perm=list(order))

    def gather(self, x: str, index: np.ndarray, axis: int = 0) -> str:
        """Take entries along an axis."""
        return self.node("Gather", x, self.constant(index), axis=axis)

    def matmul(self, a: str, b: str) -> str:
        """Matrix product."""
        return self.node("MatMul", a, b)

    def linear(self, x: str, weight: np.ndarray, bias: np.ndarray | None = None) -> str:
        """Linear layer over the last axis; weight (out, in) as PyTorch stores it."""
        product = self.matmul(x, self.constant(np.asarray(weight, np.float32).T))
        return product if bias is None else self.add(product, self.constant(np.asarray(bias, np.float32)))

    def normalise(self, x: str, channels: int, eps: float) -> str:
        """Layer normalisation over the last axis, without its affine part."""
        ones = self.constant(np.ones(channels, np.float32))
        return self.node("LayerNormalization", x, ones, axis=-1, epsilon=eps)

    def affine(self, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        """Multiply by a weight and add a bias, for each channel of the last axis."""
        return self.add(self.node("Mul", x, self.constant(weight)), self.constant(bias))

    def gelu(self, x: str) -> str:
        """The exact GELU."""
        return self.node("Gelu", x, approximate="none")

    def relu(self, x: str) -> str:
        """ReLU."""
        return self.node("Relu", x)

    def softmax(self, x: str) -> str:
        """Softmax over the last axis."""
        return self.node("Softmax", x, axis=-1)

    def convolution(
        self, x: str, weight: np.ndarray, bias: np.ndarray | None = None, stride: int = 1, groups: int = 1
    ) -> str:
        """2D convolution of a channels-first map, padded to keep its size at stride 1."""
        kernel = weight.shape[-1]
        padding = (kernel - stride + 1) // 2
        operands = [self.constant(weight)] if bias is None else [self.constant(weight), self.constant(bias)]
        return self.node(
            "Conv", x, *operands, strides=[stride] * 2, pads=[padding] * 4, group=groups, kernel_shape=[kernel] * 2
        )

    def model(self, name: str, inputs: list[Port], outputs: list[Port], metadata: dict[str, str]) -> onnx.ModelProto:
        """Finish and check the model."""

        def info(port: Port) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(port.name, helper.np_dtype_to_tensor_dtype(port.dtype), port.shape)

        graph = helper.make_graph(
            self._nodes, name, [info(p) for p in inputs], [info(p) for p in outputs], self._constants
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="litemedsam",
        )
        helper.set_model_props(model, dict(sorted(metadata.items())))
        onnx.checker.check_model(model, full_check=True)
        return model
