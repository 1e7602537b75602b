"""Merges layers without a nonlinearity between them into one layer, in float64; graphs store it as float32.

Every function is exact algebra: BN(Wx) = W'x + b', W·LN(x) = W'·n(x) + b' with n the plain normalisation.
"""

from typing import TypeVar

import numpy as np
import torch
from torch import nn

from ..models.layers import ConvBN

Layer = TypeVar("Layer")


def layer(kind: type[Layer], module: object) -> Layer:
    """Check that a part of a network has the class that the recipe expects; PyTorch's own types leave it open."""
    if not isinstance(module, kind):
        raise TypeError(f"expected a {kind.__name__}, got {type(module).__name__}")
    return module


def layers(kind: type[Layer], modules: object) -> list[Layer]:
    """The modules of a list, each checked by `layer`."""
    return [layer(kind, module) for module in layer(nn.ModuleList, modules)]


def array(tensor: object) -> np.ndarray:
    """A parameter as float64."""
    return layer(torch.Tensor, tensor).detach().double().cpu().numpy()


def conv_bn(module: object) -> tuple[np.ndarray, np.ndarray]:
    """Weight (out, in / groups, k, k) and bias (out,) of a convolution with its batch normalisation."""
    part = layer(ConvBN, module)
    scale = array(part.bn.weight) / np.sqrt(array(part.bn.running_var) + part.bn.eps)
    bias = array(part.bn.bias) - array(part.bn.running_mean) * scale
    return array(part.c.weight) * scale[:, None, None, None], bias


def norm_linear(norm: nn.Module, weight: np.ndarray, bias: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Weight (out, in) and bias (out,) of a linear layer that includes the norm's affine part."""
    return weight * array(norm.weight), bias + weight @ array(norm.bias)
