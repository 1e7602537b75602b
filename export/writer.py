"""Checkpoint to bundle: the folder appears only when every runtime agrees with PyTorch."""

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
import torch
from onnx import helper

from ..engine.backends.registry import BACKENDS, load_graph
from ..engine.bundle.digests import sha256_of, write_manifest
from ..engine.bundle.info import DECODER, ENCODER, QUANTISED_ENCODER, BundleInfo
from ..engine.bundle.precision import CARD_KEY, FASTEST_FIRST, Agreement, Card, card_to_json
from ..engine.system.resources import available_processors
from ..errors import LiteMedSamError
from ..models import LiteMedSAM, SwinLiteMedSAM, load_checkpoint
from . import litemedsam, swin_litemedsam
from .agreement import computes_in, measure
from .calibration import NamedCase, part
from .recipe import decoder_graph, encoder_graph
from .verify import TOLERANCE, Deviation, deviations

# How each network becomes its two graphs.
RECIPES = {SwinLiteMedSAM.name: swin_litemedsam.RECIPE, LiteMedSAM.name: litemedsam.RECIPE}


# Few suffice to calibrate; of those that measure, all in effect: among few, one with tiny objects decides.
CALIBRATING_CASES = 20
MEASURING_CASES = 200


@dataclass(frozen=True)
class Exported:
    """What an export found.

    Attributes
    ----------
    deviations : list of Deviation
        Each runtime against PyTorch on seeded inputs, in f32.
    card : mapping of str to Agreement
        The accuracy card; empty where there were no cases to measure it on.
    """

    deviations: list[Deviation]
    card: Card


def export_bundle(
    checkpoint: Path,
    bundle: Path,
    half_weights: bool = False,
    description: str = "",
    overwrite: bool = False,
    calibration: Path | None = None,
    quantised: bool = False,
    scribble: str = "stroke",
) -> Exported:
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
    calibration : Path, optional
        Folder of challenge-format cases, on which the accuracy card is measured; there is none when absent.
    quantised : bool
        Also write an int8 encoder, calibrated on a part of that folder.
    scribble : str
        How inference makes a scribble from a box, a key of `inference.automatic_prompts.SCRIBBLES`, as in the training
        of these weights.

    Returns
    -------
    Exported

    Raises
    ------
    LiteMedSamError
        When the checkpoint cannot be loaded, the folder exists or cannot be written, a deviation exceeds its
        tolerance, or a case cannot be read; no bundle is left behind then.
    """
    cases = None if calibration is None else part(calibration, CALIBRATING_CASES, MEASURING_CASES)
    if quantised and cases is None:
        raise LiteMedSamError("an int8 encoder needs images to calibrate it", "add --calibration FOLDER")
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
        scribble=scribble,
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
            card = {}
            if quantised:
                write_quantised(written, encoder_graph(recipe, model, metadata), cases.calibrating, half_weights)
            if cases is not None:
                card = add_card(written, cases.measuring)
            if bundle.exists():
                shutil.rmtree(bundle)
            written.rename(bundle)
    except OSError as error:
        raise LiteMedSamError(f"{bundle}: cannot be written ({error.strerror or error})") from error
    return Exported(found, card)


def write_quantised(bundle: Path, encoder: onnx.ModelProto, cases: list[NamedCase], half_weights: bool) -> None:
    """Add an int8 encoder to a bundle and load it with every runtime.

    Parameters
    ----------
    bundle : Path
    encoder : onnx.ModelProto
        With float32 weights.
    cases : list of NamedCase
        To calibrate it.
    half_weights : bool
        Store its large float constants in half precision.

    Raises
    ------
    LiteMedSamError
        When a case cannot be read, or a runtime does not load it.
    """
    from .quantise import frames, halve_floats, quantise

    info = BundleInfo.from_metadata(bundle, {entry.key: entry.value for entry in encoder.metadata_props})
    quantised = quantise(encoder, frames(cases, info.frame))
    helper.set_model_props(quantised, replace(info, precision="int8").to_metadata())
    if half_weights:
        halve_floats(quantised)
    onnx.checker.check_model(quantised, full_check=True)
    onnx.save(quantised, bundle / QUANTISED_ENCODER)
    write_manifest(bundle)
    for backend in BACKENDS:
        load_graph(bundle / QUANTISED_ENCODER, backend, "f32", available_processors()).close()


def add_card(bundle: Path, cases: list[NamedCase]) -> dict[str, Agreement]:
    """Measure each precision of a bundle against f32 and write that into its encoder.

    Returns
    -------
    dict of str to Agreement
        By precision. What this machine's OpenVINO does not compute in is left out.
    """
    quantised = (bundle / QUANTISED_ENCODER).is_file()
    offered = [name for name in FASTEST_FIRST if (quantised if name == "int8" else computes_in(name))]
    card = measure(bundle, offered, cases, available_processors())
    encoder = onnx.load(bundle / ENCODER)
    properties = {entry.key: entry.value for entry in encoder.metadata_props}
    helper.set_model_props(encoder, dict(sorted({**properties, CARD_KEY: card_to_json(card)}.items())))
    onnx.save(encoder, bundle / ENCODER)
    write_manifest(bundle)
    return card
