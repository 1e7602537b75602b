"""Checkpoint to bundle: the folder appears only when every runtime agrees with PyTorch."""

import shutil
import tempfile
from pathlib import Path

import onnx
import torch

from ..engine.bundle import DECODER, ENCODER, BundleInfo
from ..engine.digests import sha256_of, write_manifest
from ..engine.resources import available_processors
from ..errors import LiteMedSamError
from ..models import LiteMedSAM, SwinLiteMedSAM, load_checkpoint
from . import litemedsam, swin_litemedsam
from .recipe import decoder_graph, encoder_graph
from .verify import TOLERANCE, Deviation, deviations

# How each network becomes its two graphs.
RECIPES = {SwinLiteMedSAM.name: swin_litemedsam.RECIPE, LiteMedSAM.name: litemedsam.RECIPE}


def export_bundle(
    checkpoint: Path, bundle: Path, half_weights: bool = False, description: str = "", overwrite: bool = False
) -> list[Deviation]:
    """Write a bundle and check it.

    Parameters
    ----------
    checkpoint : Path
        See `litemedsam.models.load_checkpoint`.
    bundle : Path
        The folder to make.
    half_weights : bool
        Store large weights in half precision: half the size, computed in float32 all the same.
    description : str
        One line for the metadata: where the weights come from and what they are worth.
    overwrite : bool
        Replace an existing bundle.

    Returns
    -------
    list of Deviation
        Each runtime against PyTorch on seeded inputs.

    Raises
    ------
    LiteMedSamError
        When the checkpoint cannot be loaded, the folder exists or cannot be written, or a deviation exceeds
        its tolerance; no bundle is left behind then.
    """
    model = load_checkpoint(checkpoint)
    if bundle.exists() and not overwrite:
        raise LiteMedSamError(f"{bundle}: exists", "choose another folder or add --overwrite")
    recipe = RECIPES[model.name]
    storage = "half" if half_weights else "single"
    info = BundleInfo(
        model=model.name,
        frame=model.frame,
        prompts=model.prompts,
        embedding=tuple(recipe.shapes(model)),
        weights_sha256=sha256_of(checkpoint),
        precision="f32",
        storage=storage,
        description=" ".join(description.split()),
        tools=f"torch {torch.__version__.split('+')[0]}, onnx {onnx.__version__}",
        published_protocol=recipe.published_protocol,
    )
    metadata = info.to_metadata()
    try:
        bundle.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{bundle.name}.", dir=bundle.parent) as folder:
            written = Path(folder) / "bundle"
            written.mkdir()
            onnx.save(encoder_graph(recipe, model, metadata, half_weights), written / ENCODER)
            onnx.save(decoder_graph(recipe, model, metadata, half_weights), written / DECODER)
            write_manifest(written)
            found = deviations(model, written, available_processors())
            worst = max(found, key=lambda deviation: deviation.relative)
            if not worst.relative <= TOLERANCE[storage]:
                raise LiteMedSamError(
                    f"{bundle}: {worst.output} in {worst.backend} deviates from PyTorch by {worst.greatest:.2g} of "
                    f"{worst.magnitude:.2g}, allowed is {TOLERANCE[storage]:.0e} of it; no bundle was written",
                    "check the versions of torch, onnx and the runtimes",
                )
            if bundle.exists():
                shutil.rmtree(bundle)
            written.rename(bundle)
    except OSError as error:
        raise LiteMedSamError(f"{bundle}: cannot be written ({error.strerror or error})") from error
    return found
