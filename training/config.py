"""The settings of a training run, and the reader of their TOML files."""

import re
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..engine.inference.automatic_prompts import SCRIBBLES
from ..errors import LiteMedSamError
from .prompting import Prompting

RECIPES = Path(__file__).parent / "recipes"
_TOML_TYPES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a string",
    tuple: "an array of strings",
}


@dataclass(frozen=True)
class TrainingConfig:
    """All settings of a run. Its numbers depend on these, on its data and on its initial weights.

    Attributes
    ----------
    seed : int
        At least 0.
    steps : int
        Steps of the optimiser in the whole run.
    frame : int
        Side of the images in pixels, a multiple of 32.
    window, window_images : int
        In some steps, the network sees `window_images` windows of this side instead of `images` whole frames. A window
        lies around an object, at the scale and in the coordinates of the frame. Half the side costs a quarter.
    window_share : float
        Share of the steps with windows, in [0, 1], spread evenly over the run.
    images : int
        Images per step.
    prompts : int
        Largest number of objects per image.
    synthetic : float
        Share of synthetic scenes among the images, in [0, 1]; the rest comes from the cases.
    phantoms : float
        Share of slices of phantoms among the synthetic images, in [0, 1].
    held_out : float
        Share of the sources (patients, specimens) that are held out for measuring, in [0, 1).
    apart : tuple of str
        File names that begin with one of these are also held out, as whole datasets.
    subjects : tuple of str
        Regular expressions for file names. The first group is the patient or specimen; files of one source are held
        out together. If no expression matches, the name gives the source.
    balance : float
        A group of n cases is drawn with the weight n ** balance, in [0, 1]; 0 draws all groups equally often.
    learning_rate : float
        Peak learning rate.
    last_rate : float
        Final learning rate as a share of the peak, in [0, 1]; the rate falls along a cosine.
    warm_up : int
        Steps in which the rate rises linearly.
    weight_decay : float
    clip : float
        Largest norm of the gradient, above 0.
    ema : float
        Decay of the averaged weights per step, in [0, 1).
    freeze_encoder : bool
        Whether the whole image encoder is frozen. This halves the time per step, and the decoder learns faster.
    frozen_stages : int
        Number of the encoder's first stages that are frozen; see `litemedsam.models.interface.PromptableModel`.
    encoder_rate : float
        Learning rate of the encoder as a share of the decoder's, in [0, 1].
    dense : bool
        Whether LiteMedSAM learns to take a scribble beside the box. Weights that take one keep it in either case.
    variants : int
        Number of augmented variants of each image, so that their frozen maps can be kept; 0 augments each image anew.
    fresh : int
        Number of new images per step. The others were seen in earlier steps, so that their frozen maps are kept
        already; 0 makes all images new.
    focus : int
        Side in pixels of the part of the frame that the decoder sees in some steps, a multiple of 4, at least 32.
    focus_share : float
        Share of the images, in [0, 1], for which the decoder sees only that part, if the object fits into it.
    freeze_statistics : bool
        Whether batch normalisation keeps the statistics of the initial weights.
    mixed : bool
        Whether to compute in bfloat16 where autocast allows it and the processor is fast in it, see
        `litemedsam.training.precision`.
    scribble : str
        The scribble that inference will draw in a box, see `litemedsam.engine.inference.automatic_prompts.SCRIBBLES`.
    strokes : float
        Share of the prompts, in [0, 1], that get the published random stroke instead, so that a user's own scribbles
        keep their meaning.
    misplaced : float
        Share of the prompts, in [0, 1], that get an ellipse elsewhere in the box instead, so that the network keeps
        looking at the image.
    propagated : float
        Share of the boxes, in [0, 1], that deviate as boxes do when a volume passes them from slice to slice.
    dropped : float
        Share of the prompts, in [0, 1], whose scribble is empty, so that a box alone keeps its meaning.
    previous : float
        Share of the prompts with a passed-on box, in [0, 1], that get the mask of the previous slice as scribble.
    corrections : int
        Largest number of rounds in which simulated clicks and strokes correct the masks of a step; LiteMedSAM alone
        learns them. The number is drawn anew in each step, from 0 on.
    distillation : float
        Weight, at least 0, of the error of the encoder's maps beside the loss of the masks. Above 0, Swin-LiteMedSAM
        learns the maps of a teacher, see `litemedsam.training.distillation`; without initial weights, it begins with
        the teacher's, see `litemedsam.training.transplant`.
    jitter : float
        Largest shift of a box's side, in [0, 1) of the box's length along that axis; two pixels if that is more.
    checkpoint_every : int
        Steps between two checkpoints.
    measure_scenes, measure_images : int
        Number of synthetic scenes, and of images of each group of held-out cases, that a run is measured on.
    measure_first : bool
        Whether the initial weights are also measured, before the first step.
    measure_objects : int
        Largest number of objects per measured image.
    workers : int
        Processes that make images; 0 makes them between the steps. The numbers do not depend on `workers`.
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
    corrections: int = 0
    distillation: float = 0.0
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
            "corrections",
            "distillation",
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
        """The settings of the prompts."""
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
        """Whether a step, counted from 0, sees windows instead of whole frames."""
        return int((step + 1) * self.window_share) > int(step * self.window_share)


def _has_group(pattern: str) -> bool:
    try:
        return re.compile(pattern).groups > 0
    except re.error:
        return False


def _require(holds: bool, name: str, got: Any, expected: str) -> None:
    if not holds:
        raise LiteMedSamError(
            f"training setting '{name}' is {got}, expected {expected}",
            f"correct {name} in the configuration file or on the command line",
        )


def from_mapping(values: dict[str, Any], origin: str) -> TrainingConfig:
    """Check names and types, and make a configuration.

    Parameters
    ----------
    values : dict
        Settings by name; the others keep their defaults.
    origin : str
        Where the settings come from, for the error.

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
        raise LiteMedSamError(
            f"{origin}: unknown settings {', '.join(unknown)}", f"remove or rename them; known: {', '.join(known)}"
        )
    checked: dict[str, Any] = {}
    for name, value in values.items():
        wanted = known[name]
        if wanted is float and type(value) is int:
            value = float(value)
        if wanted is tuple and isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
            value = tuple(value)
        if type(value) is not wanted:
            raise LiteMedSamError(
                f"{origin}: setting '{name}' is {value!r}, expected {_TOML_TYPES[wanted]}",
                f"correct {name} in the configuration file",
            )
        checked[name] = value
    return replace(TrainingConfig(), **checked)


def read_config(path: str | Path) -> TrainingConfig:
    """Read a TOML file of settings.

    Parameters
    ----------
    path : path
        A file, or the name of a recipe in the package, such as ``default`` or ``finetune``.

    Returns
    -------
    TrainingConfig

    Raises
    ------
    LiteMedSamError
        When the file is absent or not TOML, and as `from_mapping`.
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
        raise LiteMedSamError(
            f"{path}: not a TOML file ({error})", "correct its syntax, and save it as UTF-8"
        ) from error
    return from_mapping(values, str(path))
