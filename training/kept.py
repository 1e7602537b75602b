"""Maps of an encoder's frozen stages, kept on disk, so that a step only computes what learns."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import nn

from ..engine.inference.network import Network
from ..errors import LiteMedSamError
from ..models.interface import ImageFeatures, TrainableModel
from .config import TrainingConfig
from .layout import batch_of
from .precision import takes_bfloat16

# Relative to the largest value; bfloat16 keeps eight bits.
_AGREEMENT = 0.1

Encode = Callable[[np.ndarray], tuple[np.ndarray, ...]]


def all_stages(model: TrainableModel) -> tuple[nn.Module, ...]:
    """The stages of a model's image encoder that ``frozen_stages`` counts."""
    return model.image_encoder.all_stages


def digest_of(model: TrainableModel, count: int) -> str:
    """Name the weights of the encoder's first `count` stages.

    Parameters
    ----------
    model : TrainableModel
    count : int
        0 to ``model.stages``.

    Returns
    -------
    str
        16 hexadecimal digits of BLAKE2b over names and float32 values of these stages.
    """
    digest = blake2b(model.name.encode(), digest_size=8)
    for number, stage in enumerate(all_stages(model)[:count]):
        for name, tensor in sorted(stage.state_dict().items()):
            digest.update(f"{number}.{name}".encode() + tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def encode_with(model: TrainableModel, count: int, mixed: bool) -> Encode:
    """An encoder in PyTorch: pixels float32 (3, S, S) to the maps of ``encode_first``, float32 (C, S', S') each."""

    def encode(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            maps = model.encode_first(torch.from_numpy(pixels)[None], count)
        return tuple(one[0].float().numpy() for one in maps)

    return encode


def encode_in_bundle(bundle: Path, model: TrainableModel, count: int) -> Encode:
    """An encoder in OpenVINO: the whole one, in bfloat16 if the processor has it; about twice as fast as PyTorch.

    Raises
    ------
    LiteMedSamError
        When not the whole encoder is frozen, or the bundle's encoder gives another embedding than the model's.
    """
    if count != model.stages or model.name != "litemedsam":
        raise LiteMedSamError(
            f"{bundle}: contains the whole encoder of LiteMedSAM, but {count} of {model.stages} stages of "
            f"{model.name} are frozen",
            "leave out --encoder, or set freeze_encoder = true",
        )
    network = Network.load(bundle, "openvino", "bf16", torch.get_num_threads())
    cells = model.frame // 4

    def encode(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        embedding = network.encoder.run({"image": pixels[None]})["image_embedding"]
        return (np.ascontiguousarray(embedding[0].T.reshape(-1, cells, cells)),)

    drawn = np.random.default_rng(0).random((3, model.frame, model.frame), np.float32)
    own, found = encode_with(model, count, False)(drawn)[0], encode(drawn)[0]
    if np.abs(own - found).max() > _AGREEMENT * np.abs(own).max():
        raise LiteMedSamError(
            f"{bundle}: its encoder has other weights than the network", "export the initial weights to a bundle first"
        )
    return encode


@dataclass(frozen=True)
class FrozenStages:
    """The frozen stages of the encoder, and where their maps are kept.

    Attributes
    ----------
    count : int
        Number of frozen stages, from the first on.
    kept : KeptMaps, optional
        Stores their maps; without it, they are computed in every step.
    """

    count: int = 0
    kept: KeptMaps | None = None

    def features(self, model: TrainableModel, images: Sequence[np.ndarray], device: torch.device) -> ImageFeatures:
        """`model.encode` of images float32 (3, S, S); gradients only reach the stages that learn."""
        if self.kept is not None:
            maps = [self.kept(image) for image in images]
            joined = tuple(torch.cat(parts).to(device) for parts in zip(*maps, strict=True))
        else:
            batch = batch_of(images, device)
            with torch.set_grad_enabled(torch.is_grad_enabled() and self.count == 0):
                joined = model.encode_first(batch, self.count)
        return model.encode_rest(joined, self.count)


class KeptMaps:
    """Half-precision maps of the frozen stages, one file per image.

    Parameters
    ----------
    folder : path
        May be shared by runs with the same frozen weights; created if absent.
    name : str
        Names the frozen weights and how they compute; see `digest_of`.
    encode : callable
        Computes the maps, float32 (C, S', S') each, from pixels float32 (3, S, S).
    """

    def __init__(self, folder: str | Path, name: str, encode: Encode):
        self._folder = Path(folder) / name
        self._encode = encode
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LiteMedSamError(
                f"{self._folder}: cannot be made ({error.strerror or error})", "give another folder with --keep"
            ) from error

    def path(self, pixels: np.ndarray) -> Path:
        """File for the maps of an image; its name depends on every pixel."""
        key = blake2b(np.ascontiguousarray(pixels).tobytes(), digest_size=16, person=str(pixels.shape[-1]).encode())
        return self._folder / f"{key.hexdigest()}.npz"

    def __call__(self, pixels: np.ndarray) -> tuple[torch.Tensor, ...]:
        """The maps of an image.

        Parameters
        ----------
        pixels : ndarray
            float32 (3, S, S) in [0, 1].

        Returns
        -------
        tuple of Tensor
            float32 (1, C, S', S') each, rounded to half precision, whether they were read or just computed.

        Raises
        ------
        LiteMedSamError
            When the maps cannot be written, or the kept file cannot be read.
        """
        path = self.path(pixels)
        maps = self._read(path)
        if maps is None:
            maps = tuple(one.astype(np.float16) for one in self._encode(pixels))
            self._write(path, maps)
        return tuple(torch.from_numpy(one.astype(np.float32))[None] for one in maps)

    @staticmethod
    def _read(path: Path) -> tuple[np.ndarray, ...] | None:
        try:
            with np.load(path, allow_pickle=False) as stored:
                return tuple(stored[name] for name in sorted(stored.files))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
            raise LiteMedSamError(f"{path}: kept maps cannot be read ({error})", "remove the file") from error

    @staticmethod
    def _write(path: Path, maps: tuple[np.ndarray, ...]) -> None:
        partial = path.with_suffix(f".{os.getpid()}.partial")
        try:
            with partial.open("wb") as file:
                named: dict[str, Any] = {f"map{k}": one for k, one in enumerate(maps)}
                np.savez(file, **named)
            os.replace(partial, path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise LiteMedSamError(
                f"{path}: cannot be written ({error.strerror or error})",
                "free space on its disk, or give another folder with --keep",
            ) from error


def frozen_stages(config: TrainingConfig, model: TrainableModel) -> int:
    """Number of the encoder's stages that are frozen.

    Raises
    ------
    LiteMedSamError
        When the configuration freezes more stages than the encoder has.
    """
    if config.frozen_stages > model.stages:
        raise LiteMedSamError(
            f"training setting 'frozen_stages' is {config.frozen_stages}, expected at most {model.stages}",
            f"set frozen_stages to at most {model.stages}, or freeze_encoder = true",
        )
    return model.stages if config.freeze_encoder else config.frozen_stages


@dataclass(frozen=True)
class Keep:
    """Where the maps of the frozen stages are kept, and what computes them.

    Attributes
    ----------
    folder : Path
    encoder : Path, optional
        A bundle of the same encoder; its bfloat16 graph computes the maps instead of PyTorch. The whole encoder must be
        frozen.
    """

    folder: Path
    encoder: Path | None = None

    def maps(self, config: TrainingConfig, model: TrainableModel) -> KeptMaps:
        """The store for the maps of a model's frozen stages.

        Raises
        ------
        LiteMedSamError
            When the bundle holds another encoder, the steps are not float32, or only a part of the encoder is frozen.
        """
        count = frozen_stages(config, model)
        name = digest_of(model, count)
        mixed = takes_bfloat16(config, torch.device("cpu"))
        if self.encoder is not None and mixed:
            # PyTorch's and OpenVINO's bfloat16 kernels crash in one process with a segmentation fault.
            raise LiteMedSamError(
                f"{self.encoder}: --encoder needs steps in float32", "set mixed = false, or leave out --encoder"
            )
        if self.encoder is None:
            rounded = "-bf16" if mixed else ""
            return KeptMaps(self.folder, f"{name}-torch{rounded}", encode_with(model, count, mixed))
        return KeptMaps(self.folder, f"{name}-bundle", encode_in_bundle(self.encoder, model, count))
