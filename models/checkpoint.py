"""Reads published checkpoints and the project's own, strictly and without unpickling code."""

import re
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from ..archive import BROKEN, BoundedReader, refuse_disguise
from ..errors import LiteMedSamError
from .litemedsam import LEARNT, LiteMedSAM
from .swin import shifted_window_masks
from .swin_litemedsam import SwinLiteMedSAM

MODELS = (SwinLiteMedSAM, LiteMedSAM)
# The key, beside ``model``, under which a checkpoint names the prompts that its weights learnt.
PROMPTS_KEY = "prompts"

# The published files contain these, but the published forward pass never reads them.
_UNUSED = re.compile(r"mask_decoder\.prompt[12]\.")
# The published files contain these as parameters, but the network computes them itself.
_WINDOW_MASK = re.compile(r"\.(upper_lower|left_right)_mask$")

# Exceptions of PyTorch's restricted unpickler on bytes that are not a checkpoint.
DAMAGED = (*BROKEN, UnpicklingError, AssertionError)


def read_content(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a checkpoint's tensors by name, and the entries beside them.

    Parameters
    ----------
    path : path
        A file of `torch.save`: the state itself or the state under the key ``model``; names may start
        with ``module.``.

    Returns
    -------
    state : dict of str to Tensor
        On the CPU, as stored.
    others : dict of str to object
        The entries beside the key ``model``; empty for a plain state.

    Raises
    ------
    LiteMedSamError
        When the file cannot be read, contains anything but tensors and plain values, or contains no state.
    """
    path = Path(path)
    others = {}
    try:
        with _opened(path) as file:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise LiteMedSamError(f"{path}: cannot be read ({error.strerror or error})") from error
    except DAMAGED as error:
        refuse_disguise(path)
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise LiteMedSamError(
            f"{path}: not a PyTorch checkpoint of plain tensors ({reason[:120]})",
            "save the model's state_dict() with torch.save",
        ) from error
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        others = {name: value for name, value in content.items() if name != "model"}
        content = content["model"]
    named = isinstance(content, dict) and all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()
    )
    if not named or not content:
        raise LiteMedSamError(
            f"{path}: holds no state of named tensors, at the top or under the key 'model'",
            "save the model's state_dict() with torch.save",
        )
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}, others


def read_state(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of `read_content`."""
    return read_content(path)[0]


def _opened(path: Path) -> BoundedReader:
    """Open the file, and refuse an archive that unpacks to more than itself, because torch.save does not compress."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > path.stat().st_size:
            raise ValueError(f"{unpacked} bytes packed into {path.stat().st_size}")
    return BoundedReader(path)


def _drop_constants(path: Path, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    masks = dict(zip(("upper_lower", "left_right"), shifted_window_masks(), strict=True))
    kept = {}
    for name, tensor in state.items():
        if _UNUSED.match(name):
            continue
        if found := _WINDOW_MASK.search(name):
            expected = masks[found[1]]
            if tensor.shape != expected.shape or not torch.equal(tensor.float(), expected):
                raise LiteMedSamError(
                    f"{path}: {name} is not the mask of an 8×8 window shifted by 4",
                    "this checkpoint belongs to a different network",
                )
            continue
        kept[name] = tensor
    return kept


def _differences(own: dict[str, torch.Tensor], state: dict[str, torch.Tensor]) -> list[str]:
    misshaped = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    groups = {
        "missing": [name for name in own if name not in state],
        "unexpected": [name for name in state if name not in own],
        "of the wrong shape": misshaped,
    }
    return [f"{len(names)} {kind}: {', '.join(names)}" for kind, names in groups.items() if names]


def load_checkpoint(path: str | Path) -> SwinLiteMedSAM | LiteMedSAM:
    """Load a checkpoint into the network that its parameter names belong to.

    Parameters
    ----------
    path : path
        As for `read_content`. Half precision is allowed; entries that the network never reads are dropped.

    Returns
    -------
    torch.nn.Module
        In float32, in evaluation mode.

    Raises
    ------
    LiteMedSamError
        As `read_content`; and when names or shapes do not match, with a list of all mismatches.
    """
    path = Path(path)
    state, others = read_content(path)
    state = _drop_constants(path, state)
    candidates = []
    for model_class in MODELS:
        # On the meta device, because only names and shapes are compared.
        with torch.device("meta"):
            expected = model_class().state_dict()
        candidates.append((sum(name in state for name in expected), model_class, _differences(expected, state)))
    _, model_class, differences = max(candidates, key=lambda candidate: candidate[0])
    if differences:
        known = ", ".join(m.name for m in MODELS)
        raise LiteMedSamError(
            f"{path}: not a checkpoint of a known model ({known}); closest is {model_class.name}, but entries are "
            + "; ".join(differences),
            "give a checkpoint of a known model",
        )
    model = model_class()
    if isinstance(model, LiteMedSAM):
        model.prompts = _learnt_prompts(path, others)
    model.load_state_dict(state)
    return model.float().eval()


def _learnt_prompts(path: Path, others: dict[str, Any]) -> tuple[str, ...]:
    """The prompts that weights of LiteMedSAM learnt; the published weights do not name them and take boxes only."""
    learnt = others.get(PROMPTS_KEY, ["boxes"])
    for known in LEARNT:
        if learnt == list(known):
            return known
    raise LiteMedSamError(
        f"{path}: weights that learnt the prompts {str(learnt)[:80]}, "
        f"expected one of {', or '.join(' and '.join(known) for known in LEARNT)}",
        "use a newer version of litemedsam",
    )
