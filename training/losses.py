"""Dice and cross-entropy of the masks, squared error of the predicted IoU."""

from typing import NamedTuple

import torch
import torch.nn.functional as F

# Most of a frame is background: equal weights for all pixels teach the network to mark nothing.
OUTSIDE = 0.3
MARGIN = 0.25
_SMALLEST_MARGIN = 4.0


class Losses(NamedTuple):
    """Means over n prompts, each a Tensor (). `dsc` is that of the thresholded masks and has no gradient."""

    total: torch.Tensor
    dice: torch.Tensor
    cross_entropy: torch.Tensor
    iou: torch.Tensor
    dsc: torch.Tensor


def window(boxes: torch.Tensor, size: int) -> torch.Tensor:
    """The pixels where a mask may be: the boxes enlarged by a quarter on each side.

    Parameters
    ----------
    boxes : Tensor
        (n, 4), x_min, y_min, x_max, y_max in pixels of the frame.
    size : int
        Side of the frame in pixels.

    Returns
    -------
    Tensor
        bool (n, size, size).
    """
    low, high = boxes[:, :2], boxes[:, 2:]
    margin = (MARGIN * (high - low)).clamp(min=_SMALLEST_MARGIN)
    low, high = low - margin, high + margin
    axis = torch.arange(size, device=boxes.device)
    columns = (axis >= low[:, :1]) & (axis <= high[:, :1])
    rows = (axis >= low[:, 1:]) & (axis <= high[:, 1:])
    return rows[:, :, None] & columns[:, None, :]


def _mean_over(values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    where = where.to(values.dtype)
    return (values * where).sum((1, 2)) / where.sum((1, 2)).clamp(min=1)


def mask_losses(
    logits: torch.Tensor, iou: torch.Tensor, boxes: torch.Tensor, targets: torch.Tensor, valid: torch.Tensor
) -> Losses:
    """Dice and cross-entropy inside the window, cross-entropy outside, and the squared error of the IoU.

    Parameters
    ----------
    logits : Tensor
        (n, 1, S, S), any floating type; computed in float32.
    iou : Tensor
        (n,), predicted.
    boxes : Tensor
        (n, 4) in pixels of the frame.
    targets : Tensor
        float32 (n, S, S) in [0, 1].
    valid : Tensor
        bool (S, S), true where the image is.

    Returns
    -------
    Losses
    """
    logits, iou = logits[:, 0].float(), iou.float()
    inside = window(boxes, logits.shape[-1]) & valid
    probability = logits.sigmoid() * inside
    wanted = targets * inside
    overlap = (probability * wanted).sum((1, 2))
    dice = 1 - (2 * overlap + 1) / (probability.square().sum((1, 2)) + wanted.square().sum((1, 2)) + 1)
    cross = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    cross = _mean_over(cross, inside) + OUTSIDE * _mean_over(cross, valid & ~inside)
    with torch.no_grad():
        mask, truth = (logits > 0) & valid, targets >= 0.5
        both = (mask & truth).sum((1, 2))
        sizes = mask.sum((1, 2)) + truth.sum((1, 2))
        true_iou = both / (sizes - both).clamp(min=1)
        dsc = 2 * both / sizes.clamp(min=1)
    error = (iou - true_iou).square()
    total = dice + cross + error
    return Losses(*(x.mean() for x in (total, dice, cross, error, dsc)))
