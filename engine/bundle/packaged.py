"""The bundles that come with the package, by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ...errors import LiteMedSamError
from .info import ENCODER

DEFAULT = "litemedsam"
# Of their weights, as NOTICE says; SPDX identifiers.
_LICENCES = {"litemedsam": "Apache-2.0", "swin-litemedsam": "Apache-2.0"}


def packaged_bundles() -> dict[str, Path]:
    """The folders of the bundles in this installation, by name, in alphabetical order."""
    home = Path(str(files("litemedsam") / "bundles"))
    return {encoder.parent.name: encoder.parent for encoder in sorted(home.glob(f"*/{ENCODER}"))}


def bundle_folder(named: str | Path | None = None) -> Path:
    """The folder of a bundle.

    Parameters
    ----------
    named : str or Path, optional
        The name of a bundle in the package, or any folder. A folder with a bundle's name is given by its whole path.
        The default bundle when absent.

    Returns
    -------
    Path
        Need not exist, unless it is the package's.

    Raises
    ------
    LiteMedSamError
        When this installation lacks the default bundle.
    """
    packaged = packaged_bundles()
    if named is None:
        if DEFAULT not in packaged:
            raise LiteMedSamError("this installation comes without a default model", "give a bundle with --model")
        return packaged[DEFAULT]
    return packaged.get(str(named), Path(named))


def licence_of(bundle: Path) -> str | None:
    """The licence of a bundle's weights, an SPDX identifier; None for bundles that are not the package's."""
    return next((_LICENCES[name] for name, folder in packaged_bundles().items() if folder == bundle), None)
