"""Every reader of a stranger's file; each function reads one file to the end, as the commands do."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
from litemedsam.engine.bundle.info import DECODER, ENCODER, BundleInfo
from litemedsam.engine.bundle.onnx_metadata import read_metadata
from litemedsam.engine.inference.automatic_prompts import AutomaticPrompts
from litemedsam.engine.inference.network import Network
from litemedsam.engine.inference.prompt import Target
from litemedsam.engine.io.formats import format_of
from litemedsam.engine.io.npz import read_case
from litemedsam.engine.objects.json_file import BoxesFile
from litemedsam.engine.objects.masks import MaskBoxes, WithScribbles
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.objects.sources import GivenBoxes, StoredBoxes
from litemedsam.engine.scan.geometry import Geometry
from litemedsam.engine.scan.scan import Scan

from litemedsam import LiteMedSamError, Predictor

# What a small result costs to write, so that what was taken over from the file is written back too.
_SMALL = 100_000
_refusals: list[str] = []


@cache
def _scan() -> Scan:
    """The scan that masks and boxes are read for."""
    return Scan("scan", np.zeros((3, 8, 9), np.uint8), True, Geometry(np.diag([1.0, 2.0, 3.0, 1.0])))


@contextlib.contextmanager
def _refusals_pass() -> Iterator[None]:
    """A refusal by one way in does not keep the others from being tried."""
    try:
        yield
    except LiteMedSamError as error:
        _refusals.append(str(error))
        if not str(error) or len(str(error).splitlines()) > 1:
            raise ValueError("a refusal that is not one line of text") from error


def refusals() -> list[str]:
    """The messages so far."""
    return _refusals


def _read_and_write(path: Path) -> None:
    kind = format_of(path)
    scan = kind.read(path)
    volume = scan.is_volume if scan.is_volume is not None else scan.voxels.ndim == 3
    box = [0, 0, 0, 0, 0, 0] if volume else [0, 0, 0, 0]
    objects = StoredBoxes() if scan.boxes is not None else GivenBoxes([box])
    prepared = prepare(scan, objects.objects(path, scan))
    labels = np.zeros(prepared.case.grid, np.uint8)
    if labels.size < _SMALL:
        with tempfile.TemporaryDirectory() as folder:
            # Of a series its folder's name does not say the kind.
            name = kind.result_name(path.name, path.stem)
            kind.write(Path(folder) / name, prepared.restore(labels), scan, ("name",))


def scan(path: Path) -> None:
    """An npz, NIfTI, DICOM, NRRD, MetaImage or picture file, as scan, as mask and as scribbles."""
    with _refusals_pass():
        _read_and_write(path)
    with _refusals_pass():
        MaskBoxes(path, pieces=True, margin=1).objects(Path("scan"), _scan())
    with _refusals_pass():
        WithScribbles(GivenBoxes([[0, 0, 0, 1, 1, 1]]), path).objects(Path("scan"), _scan())


def npz(path: Path) -> None:
    """An npz file, as scan and as every kind of file that the evaluation reads."""
    from litemedsam.evaluation.cases import read_masks, read_prompted, read_truth
    from litemedsam.evaluation.truth import Truth

    scan(path)
    with _refusals_pass():
        read_case(path)
    with _refusals_pass():
        read_truth(path)
    with _refusals_pass():
        read_masks(path, Truth("truth", np.zeros((8, 9), np.uint16), None))
    with _refusals_pass():
        read_prompted(path, (8, 9))


def boxes(path: Path) -> None:
    """A JSON file of boxes and points, for a volume and for a picture."""
    with _refusals_pass():
        BoxesFile(path).objects(Path("scan"), _scan())
    with _refusals_pass():
        BoxesFile(path, world=True).objects(Path("scan"), _scan())
    with _refusals_pass():
        picture = Scan("scan", np.zeros((8, 9), np.uint8), False)
        prepare(picture, BoxesFile(path).objects(Path("scan"), picture))


def metadata(path: Path) -> None:
    """What an ONNX file says of itself."""
    with _refusals_pass():
        BundleInfo.from_metadata(path, read_metadata(path))


def bundle(path: Path) -> None:
    """A bundle one of whose graphs is a stranger's, in both runtimes."""
    from tiny_bundle import write_tiny_bundle

    metadata(path)
    for name in (ENCODER, DECODER):
        for backend in ("onnxruntime", "openvino"):
            with tempfile.TemporaryDirectory() as folder, _refusals_pass():
                shutil.copyfile(path, write_tiny_bundle(Path(folder)) / name)
                network = Network.load(Path(folder), backend, "f32", 1)
                embedding = network.encode(np.zeros((5, 6), np.uint8))
                box = np.float32([1, 1, 5, 5])
                network.decode(embedding, [AutomaticPrompts().prompt(Target(1), box, embedding.foreground)])
                network.close()


def nnia(path: Path) -> None:
    """An array of nnInteractive's protocol, and what a lease makes of it as an image."""
    from litemedsam.server.protocols.nninteractive.leases import Lease
    from litemedsam.server.protocols.nninteractive.nnia import unpack

    with _refusals_pass():
        Lease("fuzzed", cast(Predictor, None)).set_image(unpack(path.read_bytes(), 100_000_000))


def checkpoint(path: Path) -> None:
    """A file of weights."""
    from litemedsam.models.checkpoint import load_checkpoint

    with _refusals_pass():
        load_checkpoint(path)


# By the name of the corpus: what reads a file, and the suffix that the file is given.
READERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "npz": (npz, ".npz"),
    "nifti": (scan, ".nii.gz"),
    "dicom": (scan, ".dcm"),
    "picture": (scan, ".png"),
    "nrrd": (scan, ".nrrd"),
    "metaimage": (scan, ".mha"),
    "boxes": (boxes, ".json"),
    "metadata": (metadata, ".onnx"),
    "bundle": (bundle, ".onnx"),
    "checkpoint": (checkpoint, ".pth"),
    "nnia": (nnia, ".nnia"),
}
