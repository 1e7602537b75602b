"""The settings of a training run and the TOML file that they are read from."""

import re
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..engine.inference.automatic_prompts import SCRIBBLES
from ..errors import LiteMedSamError
from .prompting import Prompting

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that the numbers of a run depend on, beside its data and its initial weights.

    Attributes
    ----------
    seed : int
        At least 0.
    steps : int
        Steps of the optimiser in the whole run.
    frame : int
        Side of the images in pixels, a multiple of 32.
    window, window_images : int
        Some steps see, of so many images instead, only a window of this side around an object, at the scale and in
        the coordinates of the whole frame: a quarter of the cost at half the side.
    window_share : float
        Share of those steps, in [0, 1], spread evenly over the run.
    images : int
        Images per step.
    prompts : int
        At most so many objects per image.
    synthetic : float
        Share of synthetic scenes among the images, in [0, 1]; the rest comes from the cases.
    phantoms : float
        Share of slices of phantoms among the synthetic images, in [0, 1].
    held_out : float
        Share of the source cases kept for measuring, in [0, 1).
    apart : tuple of str
        Beginnings of names of files that are kept for measuring, too: whole sources.
    subjects : tuple of str
        Regular expressions that find the patient or specimen in a file's name, as their first group; files of one
        are held out together. Where none fits, the rest of the name counts.
    balance : float
        A group of n cases is drawn with a weight of n to this power; 0 treats all groups alike.
    learning_rate : float
        At its peak.
    last_rate : float
        Rate at the end as a share of the peak; the fall is a cosine.
    warm_up : int
        Steps of linear rise.
    weight_decay : float
    clip : float
        Largest norm of the gradient.
    ema : float
        Decay per step of the averaged weights.
    freeze_encoder : bool
        Whether the whole image encoder stays as it is: half the time per step, and a decoder that learns sooner.
    frozen_stages : int
        So many of the encoder's first stages stay as they are; see `litemedsam.models.interface.PromptableModel`.
    encoder_rate : float
        Learning rate of the encoder as a share of the decoder's.
    dense : bool
        Whether LiteMedSAM learns a scribble beside the box; weights that know it keep it either way.
    variants : int
        Each image is seen in so many augmented variants, whose frozen maps can be kept; 0 makes each one anew.
    fresh : int
        So many images of a step are new, the others are images of earlier steps, whose frozen maps are kept already; 0
        makes all of them new.
    focus : int
        Side in pixels of the part of the frame that the decoder sees in some steps, a multiple of 4.
    focus_share : float
        Share of the images, in [0, 1], of which the decoder sees that part alone, where the object fits into it.
    freeze_statistics : bool
        Whether batch normalisation keeps the statistics of the initial weights.
    mixed : bool
        bfloat16 where autocast allows it and the processor is fast in it, see `litemedsam.training.precision`.
    scribble : str
        How inference will make the scribble from a box, see `litemedsam.engine.inference.automatic_prompts.SCRIBBLES`.
    strokes : float
        Share of the prompts, in [0, 1], that have the published random stroke instead, so that scribbles of a user's
        own keep their meaning.
    misplaced : float
        Share of the prompts, in [0, 1], that have an ellipse somewhere in the box instead, so that the network goes on
        looking at the image.
    propagated : float
        Share of the boxes, in [0, 1], that are as far off as those which a volume passes on from slice to slice.
    dropped : float
        Share of the prompts, in [0, 1], whose scribble is empty, so that a box alone keeps its meaning.
    previous : float
        Share, of the prompts whose box was passed on, that have the mask of the slice before as scribble.
    jitter : float
        Sides of a box move outwards or inwards by up to this share of the box's side, or by two pixels.
    checkpoint_every : int
        Steps.
    measure_scenes, measure_images : int
        Synthetic scenes, and images of each group of held-out cases, that the measuring takes.
    measure_first : bool
        Whether the initial weights are measured, too, before the first step.
    measure_objects : int
        At most so many objects of each of them.
    workers : int
        Processes that make images; 0 makes them between the steps. The numbers do not depend on it.
    data : tuple of str
        Folders of cases.
    """

    seed: int = 0
    steps: int = 1000
    frame: int = 256
    window: int = 128
    window_images: int = 6
    window_share: float = 0.0
    images: int = 2
    prompts: int = 8
    synthetic: float = 0.5
    phantoms: float = 0.0
    held_out: float = 0.1
    balance: float = 0.5
    learning_rate: float = 3e-4
    last_rate: float = 0.03
    warm_up: int = 50
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.99
    freeze_encoder: bool = False
    frozen_stages: int = 0
    encoder_rate: float = 1.0
    dense: bool = False
    variants: int = 0
    fresh: int = 0
    focus: int = 128
    focus_share: float = 0.0
    freeze_statistics: bool = True
    mixed: bool = True
    scribble: str = "ellipse"
    strokes: float = 0.1
    misplaced: float = 0.4
    propagated: float = 0.2
    dropped: float = 0.0
    previous: float = 0.0
    jitter: float = 0.05
    checkpoint_every: int = 200
    measure_scenes: int = 24
    measure_images: int = 8
    measure_first: bool = True
    measure_objects: int = 8
    workers: int = 1
    apart: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    data: tuple[str, ...] = ()

    def __post_init__(self):
        for name in ("frame", "window"):
            side = getattr(self, name)
            _require(side >= 32 and side % 32 == 0, name, side, "a positive multiple of 32")
        _require(self.focus >= 32 and self.focus % 4 == 0, "focus", self.focus, "a multiple of 4, at least 32")
        if self.window_share:
            _require(self.window <= self.frame, "window", self.window, f"at most the frame, {self.frame}")
        for name in ("steps", "images", "window_images", "prompts", "measure_objects", "checkpoint_every"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in (
            "seed",
            "warm_up",
            "measure_scenes",
            "measure_images",
            "workers",
            "weight_decay",
            "variants",
            "fresh",
        ):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        for name in (
            "synthetic",
            "phantoms",
            "strokes",
            "misplaced",
            "propagated",
            "dropped",
            "previous",
            "focus_share",
            "encoder_rate",
            "last_rate",
            "balance",
            "window_share",
        ):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a number from 0 to 1")
        for name in ("held_out", "ema", "jitter"):
            _require(0 <= getattr(self, name) < 1, name, getattr(self, name), "a number from 0 to below 1")
        _require(self.scribble in SCRIBBLES, "scribble", self.scribble, f"one of {', '.join(SCRIBBLES)}")
        for pattern in self.subjects:
            _require(_has_group(pattern), "subjects", pattern, "a regular expression with one group at least")
        for name in ("learning_rate", "clip"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "above 0")

    @property
    def prompting(self) -> Prompting:
        """How the prompts of the steps are made."""
        return Prompting(
            self.prompts,
            self.jitter,
            self.scribble,
            self.strokes,
            self.misplaced,
            self.propagated,
            self.dropped,
            self.previous,
        )

    def windowed(self, step: int) -> bool:
        """Whether a step, from 0, sees windows instead of whole frames."""
        return int((step + 1) * self.window_share) > int(step * self.window_share)


def _has_group(pattern: str) -> bool:
    try:
        return re.compile(pattern).groups > 0
    except re.error:
        return False


def _require(holds: bool, name: str, got: Any, expected: str) -> None:
    if not holds:
        raise LiteMedSamError(f"training setting '{name}' is {got}, expected {expected}", "mend the configuration")


def from_mapping(values: dict[str, Any], origin: str) -> TrainingConfig:
    """Check names and types and make a configuration.

    Parameters
    ----------
    values : dict
        Settings by name; what is absent keeps its default.
    origin : str
        Where they come from, for the error.

    Returns
    -------
    TrainingConfig

    Raises
    ------
    LiteMedSamError
        On an unknown name, a wrong type or a value out of range.
    """
    known = {field.name: type(field.default) for field in fields(TrainingConfig)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise LiteMedSamError(f"{origin}: unknown settings {', '.join(unknown)}", f"known are {', '.join(known)}")
    checked: dict[str, Any] = {}
    for name, value in values.items():
        wanted = known[name]
        if wanted is float and type(value) is int:
            value = float(value)
        if wanted is tuple and isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
            value = tuple(value)
        if type(value) is not wanted:
            raise LiteMedSamError(
                f"{origin}: setting '{name}' is {value!r}, expected a value of type {wanted.__name__}",
                "mend the configuration",
            )
        checked[name] = value
    return replace(TrainingConfig(), **checked)


def read_config(path: str | Path) -> TrainingConfig:
    """Read a TOML file of settings.

    Parameters
    ----------
    path : path
        A file, or the name of a recipe in the package: ``default`` or ``finetune``.

    Returns
    -------
    TrainingConfig

    Raises
    ------
    LiteMedSamError
        When the file is absent or no TOML, and as `from_mapping`.
    """
    packaged = RECIPES / f"{path}.toml"
    path = packaged if packaged.is_file() else Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        names = ", ".join(sorted(recipe.stem for recipe in RECIPES.glob("*.toml")))
        raise LiteMedSamError(
            f"{path}: cannot be read ({error.strerror or error})", f"give a TOML file or a recipe's name ({names})"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LiteMedSamError(f"{path}: not a TOML file ({error})", "mend the configuration") from error
    return from_mapping(values, str(path))
