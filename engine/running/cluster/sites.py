"""Finds the source of a cluster's workers by its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import LiteMedSamError
from ...system.resources import available_processors
from .jobs import Jobs
from .local_workers import LocalWorkers
from .site import Running

if TYPE_CHECKING:
    from .site import Site

_FORMS = "tcp://HOST:PORT, tls://HOST:PORT, local:N or FILE.yaml"


def site_named(text: str) -> Site:
    """The site that a text names.

    Parameters
    ----------
    text : str
        The address of a scheduler, ``local:N``, or a file that ends with ``.yaml`` or ``.yml``.

    Raises
    ------
    LiteMedSamError
        When the text is none of these; or as `Jobs.read`.
    """
    if re.fullmatch(r"(tcp|tls)://(\[[0-9A-Fa-f:.%\w]+\]|[^\s/:\[\]]+):\d{1,5}", text, re.ASCII):
        return Running(text)
    match = re.fullmatch(r"local:(\d{1,4})", text, re.ASCII)
    if match is not None and int(match[1]):
        return LocalWorkers(int(match[1]))
    if text.lower().endswith((".yaml", ".yml")):
        return Jobs.read(Path(text))
    raise LiteMedSamError(f"cluster is {text!r}, expected {_FORMS}", f"on this machine, local:{available_processors()}")
