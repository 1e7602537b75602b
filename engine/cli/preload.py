"""Graphs that load while the rest of the program is imported and the first case is read.

Loading takes longer than anything else at the start. So the command guesses what its first case needs; a wrong guess
costs one more load.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import LiteMedSamError
from ..bundle.packaged import bundle_folder
from ..inference.graphs import Graphs
from ..inference.streams import Growing, streams_of
from ..io.image import Image
from ..io.npz import Npz, read_arrays
from ..system.resources import spare_memory

if TYPE_CHECKING:
    from ..settings import EngineSettings

# More objects than are decoded at once.
_MANY = 100


def graphs_ahead(
    settings: EngineSettings, cases: Sequence[Path], folder: Path | None, given: Sequence[Sequence[float]] = ()
) -> Graphs:
    """Open the graphs, and start loading them for the probable first case where memory is not short.

    Parameters
    ----------
    settings : EngineSettings
    cases, folder, given
        See `likely_kind`.

    Returns
    -------
    Graphs

    Raises
    ------
    LiteMedSamError
        See `Graphs.open`.
    """
    graphs = Graphs.open(bundle_folder(settings.bundle), settings.backend, settings.precision, settings.processors)
    if spare_memory():
        many = folder is not None or len(cases) > 1
        images = streams_of(graphs.threads) if folder is not None else min(streams_of(graphs.threads), len(cases))
        policy = Growing(graphs.threads, many, images)
        graphs.begin(policy.wanted(*likely_kind(cases, folder, given), held=None))
    return graphs


def likely_kind(cases: Sequence[Path], folder: Path | None, given: Sequence[Sequence[float]] = ()) -> tuple[bool, int]:
    """Guess whether the first case is a volume, and how many objects it has, at the cost of one look.

    Parameters
    ----------
    cases : sequence of Path
        As the user named them; may not exist.
    folder : Path or None
        Where they lie instead.
    given : sequence of sequence of float
        Boxes of 4 or 6 numbers, if any.

    Returns
    -------
    volume : bool
    objects : int
        At least 1; many where a look does not show it.
    """
    if given:
        return len(given[0]) == 6, len(given)
    first = cases[0] if cases else min((folder or Path()).glob("*" + Npz.suffixes[0]), default=folder or Path())
    if first.suffix.lower() in Image.suffixes:
        return False, _MANY
    if first.suffix.lower() not in Npz.suffixes:
        return True, _MANY
    try:
        objects, numbers = read_arrays(first, ("boxes",))["boxes"].shape
    except (LiteMedSamError, ValueError):
        # Reported when the case itself is read.
        return False, _MANY
    return numbers == 6, max(objects, 1)
