"""Simulated corrections: where a user would click, or draw a stroke, to repair a mask.

The rule is that of interactive segmentation: a click deep inside an error, and the mask before as a further prompt.
Sources: Xu et al., "Deep interactive object selection", 2016, https://arxiv.org/abs/1603.04042; Sofiiuk et al.,
"Reviving iterative training with mask guidance", 2021, https://arxiv.org/abs/2102.06583.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..models.prompt_encoder import BACKGROUND_LABEL, PADDING_LABEL, POINT_LABEL

# Share of the clicks that fall on any pixel of the errors, and of the rounds that are strokes.
_ANYWHERE, _STROKES = 0.2, 0.15
# A user does not hit the innermost point exactly: depth of a click, as a share of the largest depth.
_DEPTH = 0.6
_DEEPEST = 32
_STROKE_POINTS = 3
_STROKE_RADII = 0.5, 3.0
# Errors of fewer pixels than this are not corrected.
_VISIBLE = 4


@dataclass(frozen=True)
class Corrections:
    """One round of corrections of n objects, on the device of the masks.

    Attributes
    ----------
    points : Tensor
        float32 (n, k, 2), x, y in pixels of the windows; k is 1 for clicks and 3 for strokes.
    labels : Tensor
        int64 (n, k): 1 if the object lacks a point, 0 if the point does not belong to it, −1 if there is no error.
    stroke : Tensor
        bool (n, S, S), true along the strokes; false everywhere for clicks.
    """

    points: torch.Tensor
    labels: torch.Tensor
    stroke: torch.Tensor


def depths(errors: torch.Tensor) -> torch.Tensor:
    """Distance of each pixel to the end of its error, by the larger of rows and columns.

    Parameters
    ----------
    errors : Tensor
        bool (n, m, S, S).

    Returns
    -------
    Tensor
        float32 (n, m, S, S), 0 outside the errors, at most 32; the window's edge does not end an error.
    """
    left = errors.float()
    depth = torch.zeros_like(left)
    for _ in range(_DEEPEST):
        if not left.any():
            break
        depth += left
        left = -F.max_pool2d(-left, 3, 1, 1)
    return depth


def _drawn(generator: torch.Generator, among: torch.Tensor) -> torch.Tensor:
    """For each row of bool (n, m), the index of a true entry drawn at random; 0 if there is none."""
    return (torch.rand(among.shape, generator=generator, device=among.device) * among).argmax(dim=1)


def _placed(index: torch.Tensor, side: int) -> torch.Tensor:
    """Index of a pixel, row-major, to its x, y, float32 (n, 2)."""
    return torch.stack([index % side, index // side % side], dim=-1).float()


def _along(points: torch.Tensor, radius: float, side: int) -> torch.Tensor:
    """Pixels near the line through points (n, k, 2): bool (n, S, S)."""
    axis = torch.arange(side, device=points.device, dtype=points.dtype)
    pixels = torch.stack([axis.expand(side, side), axis[:, None].expand(side, side)], dim=-1)
    near = torch.zeros((len(points), side, side), dtype=torch.bool, device=points.device)
    for k in range(points.shape[1] - 1):
        start, way = points[:, k, None, None], (points[:, k + 1] - points[:, k])[:, None, None]
        share = ((pixels - start) * way).sum(-1, keepdim=True) / way.square().sum(-1, keepdim=True).clamp(min=1e-6)
        near |= (pixels - start - share.clamp(0, 1) * way).norm(dim=-1) <= radius
    return near


def simulated(generator: torch.Generator, masks: torch.Tensor, truth: torch.Tensor, valid: torch.Tensor) -> Corrections:
    """Make the next corrections of some masks.

    Parameters
    ----------
    generator : torch.Generator
        On the device of the masks.
    masks, truth : Tensor
        bool (n, S, S).
    valid : Tensor
        bool (n, S, S), false on the frame's padding.

    Returns
    -------
    Corrections
    """
    side = masks.shape[-1]
    wrong = (masks ^ truth) & valid
    # In the order of the labels: pixels to remove, pixels to add.
    errors = torch.stack([wrong & ~truth, wrong & truth], dim=1)
    depth = depths(errors).flatten(1)
    deep = depth >= (_DEPTH * depth.amax(dim=1, keepdim=True)).clamp(min=1)
    anywhere = torch.rand((len(masks), 1), generator=generator, device=masks.device) < _ANYWHERE
    index = _drawn(generator, torch.where(anywhere, errors.flatten(1), deep))
    label = torch.where(index >= side * side, POINT_LABEL, BACKGROUND_LABEL)
    label = torch.where(wrong.flatten(1).sum(dim=1) >= _VISIBLE, label, PADDING_LABEL)
    points, stroke = _placed(index, side)[:, None], torch.zeros_like(wrong)
    if float(torch.rand(1, generator=generator, device=masks.device)) < _STROKES:
        error = errors[torch.arange(len(masks), device=masks.device), label.clamp(min=0)]
        others = [_placed(_drawn(generator, error.flatten(1)), side) for _ in range(_STROKE_POINTS - 1)]
        points = torch.stack([points[:, 0], *others], dim=1)
        low, high = _STROKE_RADII
        radius = low + (high - low) * float(torch.rand(1, generator=generator, device=masks.device))
        stroke = _along(points, radius, side) & error
    return Corrections(points, label[:, None].expand(-1, points.shape[1]), stroke)


@dataclass(frozen=True)
class CorrectedPrompts:
    """The prompts of n objects in one round of their correction.

    Attributes
    ----------
    origins : Tensor
        float32 (n, 2), x, y of each object's window in its frame.
    prompts : dict of str to Tensor
        As `LiteMedSAM.decode` takes them.
    rounds : int
        Rounds so far.
    """

    origins: torch.Tensor
    prompts: dict[str, torch.Tensor]
    rounds: int = 0

    def corrected(self, corrections: Corrections, logits: torch.Tensor) -> CorrectedPrompts:
        """Add a round.

        Parameters
        ----------
        corrections : Corrections
        logits : Tensor
            (n, 1, S, S), of the masks that are corrected; their sigmoid, with the strokes, becomes the dense prompt.
        """
        dense = logits.detach().float().sigmoid()
        drawn = (corrections.labels[:, 0] == POINT_LABEL).to(dense)[:, None, None, None]
        dense = torch.where(corrections.stroke[:, None], drawn, dense)
        points, labels = corrections.points + self.origins[:, None], corrections.labels
        if self.rounds:
            points = torch.cat([self.prompts["points"], points], dim=1)
            labels = torch.cat([self.prompts["labels"], labels], dim=1)
        prompts = {**self.prompts, "points": points, "labels": labels, "scribbles": dense}
        return CorrectedPrompts(self.origins, prompts, self.rounds + 1)
