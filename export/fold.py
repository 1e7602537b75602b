"""Layers that follow each other without a nonlinearity, merged into one; in float64, given as float32.

Every function is exact algebra: BN(Wx) = W'x + b', W·LN(x) = W'·n(x) + b' with n the plain normalisation.
"""

import numpy as np
import torch
from torch import nn

from ..models.layers import ConvBN


def array(tensor: torch.Tensor) -> np.ndarray:
    """A parameter as float64."""
    return tensor.detach().double().cpu().numpy()


def conv_bn(layer: ConvBN) -> tuple[np.ndarray, np.ndarray]:
    """Weight (out, in / groups, k, k) and bias (out,) of a convolution with its batch normalisation."""
    scale = array(layer.bn.weight) / np.sqrt(array(layer.bn.running_var) + layer.bn.eps)
    bias = array(layer.bn.bias) - array(layer.bn.running_mean) * scale
    return array(layer.c.weight) * scale[:, None, None, None], bias


def norm_linear(norm: nn.Module, weight: np.ndarray, bias: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Weight (out, in) and bias (out,) of a linear layer that takes over the norm's affine part."""
    return weight * array(norm.weight), bias + weight @ array(norm.bias)
