"""Libraries that only some formats need."""

from importlib import import_module
from types import ModuleType

from ...errors import LiteMedSamError


def needed(module: str, extra: str) -> ModuleType:
    """Import a library of one of the package's extras.

    Raises
    ------
    LiteMedSamError
        When it is not installed; the remedy names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise LiteMedSamError(f"{module} is not installed", f'pip install "litemedsam[{extra}]"') from error
