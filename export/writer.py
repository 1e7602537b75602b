"""Turns a checkpoint into a bundle; the folder appears only if every runtime agrees with PyTorch."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import helper

from ..atomic import fill_folder_atomically, remove_left_over
from ..engine.backends.registry import BACKENDS, load_graph
from ..engine.bundle.card import CARD_KEY, Card, card_to_json
from ..engine.bundle.digests import MANIFEST, sha256_of, write_manifest
from ..engine.bundle.info import DECODER, ENCODER, QUANTISED_ENCODER, BundleInfo
from ..engine.system.resources import available_processors
from ..errors import LiteMedSamError
from ..inputs import InputFiles
from ..models import LiteMedSAM, SwinLiteMedSAM, load_checkpoint
from ..models.interface import PromptableModel
from . import litemedsam, swin_litemedsam
from .agreement import measure, offered
from .calibration import NamedCase, Parted, part
from .recipe import Recipe, decoder_graph, encoder_graph
from .verify import TOLERANCE, Deviation, deviations

# How each network becomes its two graphs.
RECIPES: dict[str, Recipe[Any]] = {SwinLiteMedSAM.name: swin_litemedsam.RECIPE, LiteMedSAM.name: litemedsam.RECIPE}

_FILES = {ENCODER, DECODER, QUANTISED_ENCODER, MANIFEST}
# Twenty cases are enough to calibrate. Measuring needs many: in a small set a single case with tiny objects decides.
CALIBRATING_CASES = 20
MEASURING_CASES = 200


@dataclass(frozen=True)
class ExportOptions:
    """The choices in making a bundle.

    Attributes
    ----------
    half_weights : bool
        Store large weights in half precision: half the size, still computed in float32.
    description : str
        One line for the metadata: the origin and the quality of the weights.
    overwrite : bool
        Replace an existing bundle.
    calibration : Path, optional
        Folder of challenge-format cases on which the accuracy card is measured; without it there is no card.
    quantised : bool
        Also write an int8 encoder, calibrated on a part of that folder.
    scribble : str
        The scribble that inference draws in a box, a key of `inference.automatic_prompts.SCRIBBLES`, as in the training
        of these weights.
    passage : str
        The way from slice to slice, a key of `inference.protocols.PASSAGES`; if it is empty, the scribble decides.
    """

    half_weights: bool = False
    description: str = ""
    overwrite: bool = False
    calibration: Path | None = None
    quantised: bool = False
    scribble: str = "stroke"
    passage: str = ""

    @property
    def storage(self) -> str:
        """The precision of the stored weights: ``single`` or ``half``."""
        return "half" if self.half_weights else "single"


@dataclass(frozen=True)
class Exported:
    """The findings of an export.

    Attributes
    ----------
    deviations : list of Deviation
        Each runtime against PyTorch on seeded inputs, in f32.
    card : mapping of str to Agreement
        The accuracy card; empty without cases to measure.
    """

    deviations: list[Deviation]
    card: Card


def export_bundle(checkpoint: Path, bundle: Path, options: ExportOptions | None = None) -> Exported:
    """Write a bundle and check it.

    Parameters
    ----------
    checkpoint : Path
        See `litemedsam.models.load_checkpoint`.
    bundle : Path
        The folder to make.
    options : ExportOptions, optional
        Its defaults when absent.

    Returns
    -------
    Exported

    Raises
    ------
    LiteMedSamError
        When the checkpoint cannot be loaded, the folder exists or cannot be written, a deviation exceeds its
        tolerance, or a case cannot be read; no bundle is left behind then, and a former one stays.
    """
    options = options or ExportOptions()
    cases = _checked(checkpoint, bundle, options)
    with fill_folder_atomically(bundle, "give another folder with -o") as folder:
        model = load_checkpoint(checkpoint)
        info = described(model, sha256_of(checkpoint), options)
        encoder = write_graphs(folder, model, info)
        found = deviations(model, folder, available_processors())
        _check_deviations(bundle, found, TOLERANCE[info.storage])
        if options.quantised and cases is not None:
            write_quantised(folder, model, info, cases.calibrating)
        card = {} if cases is None else write_card(folder, encoder, cases.measuring)
        write_manifest(folder)
    return Exported(found, card)


def _checked(checkpoint: Path, bundle: Path, options: ExportOptions) -> Parted | None:
    """The cases to calibrate and measure with, after all that can be refused before the checkpoint is read."""
    if options.quantised and options.calibration is None:
        raise LiteMedSamError("an int8 encoder needs images to calibrate it", "add --calibration FOLDER")
    # The cases, not their folder: a bundle may lie beside them.
    cases = [] if options.calibration is None else sorted(options.calibration.glob("*.npz"))
    InputFiles([checkpoint, *cases]).refuse(bundle, "choose another folder with -o")
    # A run that was killed while it replaced this bundle has left the former one under another name.
    remove_left_over([bundle])
    if bundle.exists() and not options.overwrite:
        raise LiteMedSamError(f"{bundle}: exists", "choose another folder or add --overwrite")
    _check_replaceable(bundle)
    return None if options.calibration is None else part(options.calibration, CALIBRATING_CASES, MEASURING_CASES)


def _check_replaceable(bundle: Path) -> None:
    """Refuse to replace a file, or a folder that holds anything beside a bundle."""
    if not bundle.is_dir():
        others = [bundle.name] if bundle.exists() else []
    else:
        others = sorted(path.name for path in bundle.iterdir() if path.name not in _FILES)
    if others:
        raise LiteMedSamError(
            f"{bundle}: holds {others[0]}, which belongs to no bundle, and --overwrite would remove it",
            "choose another folder with -o",
        )


def described(model: PromptableModel, weights_sha256: str, options: ExportOptions) -> BundleInfo:
    """The metadata of both graphs in f32."""
    recipe = RECIPES[model.name]
    return BundleInfo(
        model=model.name,
        frame=model.frame,
        prompts=model.prompts,
        embedding=tuple(recipe.shapes(model)),
        weights_sha256=weights_sha256,
        precision="f32",
        storage=options.storage,
        description=" ".join(options.description.split()),
        tools=f"torch {torch.__version__.split('+')[0]}, onnx {onnx.__version__}",
        published_protocol=recipe.published_protocol,
        scribble=options.scribble,
        passage=options.passage,
    )


def write_graphs(folder: Path, model: PromptableModel, info: BundleInfo) -> onnx.ModelProto:
    """Write both graphs in f32, weights as `info.storage` says.

    Returns
    -------
    onnx.ModelProto
        The encoder.
    """
    recipe, metadata, half = RECIPES[model.name], info.to_metadata(), info.storage == "half"
    encoder = encoder_graph(recipe, model, metadata, half)
    onnx.save(encoder, folder / ENCODER)
    onnx.save(decoder_graph(recipe, model, metadata, half), folder / DECODER)
    return encoder


def _check_deviations(bundle: Path, found: list[Deviation], tolerance: float) -> None:
    worst = max(found, key=lambda deviation: deviation.relative)
    if not worst.relative <= tolerance:
        raise LiteMedSamError(
            f"{bundle}: {worst.output} in {worst.backend} deviates from PyTorch by {worst.greatest:.2g} of "
            f"{worst.magnitude:.2g}, allowed is {tolerance:.0e} of it; no bundle was written",
            "check the versions of torch, onnx and the runtimes",
        )


def write_quantised(folder: Path, model: PromptableModel, info: BundleInfo, cases: list[NamedCase]) -> None:
    """Write an int8 encoder beside the graphs and load it with every runtime.

    Parameters
    ----------
    folder : Path
    model : PromptableModel
    info : BundleInfo
        The metadata of the graphs; its `storage` also applies to the large float constants.
    cases : list of NamedCase
        The calibrating cases.

    Raises
    ------
    LiteMedSamError
        When a case cannot be read, or a runtime does not load the encoder.
    """
    from .quantise import frames, halve_floats, quantise

    # Start from float32 weights, even if the graphs store half precision.
    exact = encoder_graph(RECIPES[model.name], model, info.to_metadata())
    quantised = quantise(exact, frames(cases, info.frame))
    helper.set_model_props(quantised, replace(info, precision="int8").to_metadata())
    if info.storage == "half":
        halve_floats(quantised)
    onnx.checker.check_model(quantised, full_check=True)
    onnx.save(quantised, folder / QUANTISED_ENCODER)
    for backend in BACKENDS:
        load_graph(folder / QUANTISED_ENCODER, backend, "f32", available_processors()).close()


def write_card(folder: Path, encoder: onnx.ModelProto, cases: list[NamedCase]) -> Card:
    """Measure each precision of a bundle against f32, and write the card into its encoder.

    Parameters
    ----------
    folder : Path
        Contains the graphs; the runtimes load them.
    encoder : onnx.ModelProto
        The folder's encoder; gets the card as metadata.
    cases : list of NamedCase

    Returns
    -------
    mapping of str to Agreement
        By precision. Precisions that OpenVINO does not compute in on this machine are left out.
    """
    card = measure(folder, offered(folder), cases, available_processors())
    properties = {entry.key: entry.value for entry in encoder.metadata_props}
    helper.set_model_props(encoder, dict(sorted({**properties, CARD_KEY: card_to_json(card)}.items())))
    onnx.save(encoder, folder / ENCODER)
    return card
