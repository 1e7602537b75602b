"""What the frozen part of an encoder makes of an image, kept on disk: a step then costs what learns alone."""

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
from .precision import takes_bfloat16

# Of the largest value: bfloat16 keeps eight bits.
_AGREEMENT = 0.1

Encode = Callable[[np.ndarray], tuple[np.ndarray, ...]]


def all_stages(model: TrainableModel) -> tuple[nn.Module, ...]:
    """The stages of a model's image encoder that ``frozen_stages`` counts."""
    return model.image_encoder.all_stages


def digest_of(model: TrainableModel, count: int) -> str:
    """A name for the weights of the encoder's first `count` stages.

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
    """The frozen stages in PyTorch: pixels float32 (3, S, S) to the maps of ``encode_first``, each (C, S', S')."""

    def encode(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            maps = model.encode_first(torch.from_numpy(pixels)[None], count)
        return tuple(one[0].float().numpy() for one in maps)

    return encode


def encode_in_bundle(bundle: Path, model: TrainableModel, count: int) -> Encode:
    """The whole encoder in OpenVINO, in bfloat16 where the processor has it: about twice as fast as PyTorch.

    Raises
    ------
    LiteMedSamError
        When the encoder learns in part, or the bundle's encoder gives another embedding than the model's.
    """
    if count != model.stages or model.name != "litemedsam":
        raise LiteMedSamError(
            f"{bundle}: a bundle's encoder gives LiteMedSAM's embedding alone, and {count} of {model.stages} stages of "
            f"{model.name} are frozen",
            "leave the bundle out, or set freeze_encoder",
        )
    network = Network.load(bundle, "openvino", "bf16", torch.get_num_threads())
    cells = model.frame // 4

    def encode(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        embedding = network.encoder.run({"image": pixels[None]})["image_embedding"]
        return (np.ascontiguousarray(embedding[0].T.reshape(-1, cells, cells)),)

    drawn = np.random.default_rng(0).random((3, model.frame, model.frame), np.float32)
    own, found = encode_with(model, count, False)(drawn)[0], encode(drawn)[0]
    if np.abs(own - found).max() > _AGREEMENT * np.abs(own).max():
        raise LiteMedSamError(f"{bundle}: its encoder is not that of the weights", "export the weights first")
    return encode


@dataclass(frozen=True)
class FrozenStages:
    """How images reach the part of the network that learns.

    Attributes
    ----------
    count : int
        Stages of the encoder that stay as they are, from the first on.
    kept : KeptMaps, optional
        Where their maps are kept; computed anew each time without.
    """

    count: int = 0
    kept: KeptMaps | None = None

    def features(self, model: TrainableModel, images: Sequence[np.ndarray], device: torch.device) -> ImageFeatures:
        """What `model.encode` gives of images float32 (3, S, S), with gradients of the stages that learn alone."""
        if self.kept is not None:
            maps = [self.kept(image) for image in images]
            joined = tuple(torch.cat(parts).to(device) for parts in zip(*maps, strict=True))
        else:
            batch = torch.stack([torch.from_numpy(image) for image in images]).to(device)
            with torch.set_grad_enabled(torch.is_grad_enabled() and self.count == 0):
                joined = model.encode_first(batch, self.count)
        return model.encode_rest(joined, self.count)


class KeptMaps:
    """The frozen stages' maps of images, in half precision, one file per image.

    Parameters
    ----------
    folder : path
        Shared by runs with the same frozen weights; made if absent.
    name : str
        Of the frozen weights and of how they compute; see `digest_of`.
    encode : callable
        pixels float32 (3, S, S) to the maps, float32 (C, S', S') each.
    """

    def __init__(self, folder: str | Path, name: str, encode: Encode):
        self._folder = Path(folder) / name
        self._encode = encode
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LiteMedSamError(f"{self._folder}: cannot be made ({error.strerror or error})") from error

    def path(self, pixels: np.ndarray) -> Path:
        """Where the maps of an image are kept: the name depends on every one of its pixels."""
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
            float32 (1, C, S', S') each, rounded to half precision, whether they were kept or made just now.

        Raises
        ------
        LiteMedSamError
            When they cannot be written, or what is kept cannot be read.
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
            raise LiteMedSamError(f"{path}: kept maps that cannot be read ({error})", "remove the file") from error

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
            raise LiteMedSamError(f"{path}: cannot be written ({error.strerror or error})", "free space") from error


def frozen_stages(config: TrainingConfig, model: TrainableModel) -> int:
    """How many of the encoder's stages stay as they are.

    Raises
    ------
    LiteMedSamError
        When the encoder has fewer.
    """
    if config.frozen_stages > model.stages:
        raise LiteMedSamError(
            f"training setting 'frozen_stages' is {config.frozen_stages}, expected at most {model.stages}",
            "mend the configuration",
        )
    return model.stages if config.freeze_encoder else config.frozen_stages


@dataclass(frozen=True)
class Keep:
    """Where the frozen stages' maps are kept, and what makes them.

    Attributes
    ----------
    folder : Path
    encoder : Path, optional
        A bundle of the same encoder, whose bfloat16 graph makes them instead of PyTorch; for an encoder that is frozen
        as a whole.
    """

    folder: Path
    encoder: Path | None = None

    def maps(self, config: TrainingConfig, model: TrainableModel) -> KeptMaps:
        """What keeps the maps of a model's frozen stages.

        Raises
        ------
        LiteMedSamError
            When the bundle is of another encoder, or only a part of the encoder is frozen.
        """
        count = frozen_stages(config, model)
        name = digest_of(model, count)
        mixed = takes_bfloat16(config, torch.device("cpu"))
        if self.encoder is not None and mixed:
            # PyTorch's bfloat16 kernels and OpenVINO's do not live in one process: it dies of a segmentation fault.
            raise LiteMedSamError(f"{self.encoder}: goes with float32 steps only", "set mixed = false, or leave it out")
        if self.encoder is None:
            rounded = "-bf16" if mixed else ""
            return KeptMaps(self.folder, f"{name}-torch{rounded}", encode_with(model, count, mixed))
        return KeptMaps(self.folder, f"{name}-bundle", encode_in_bundle(self.encoder, model, count))
