"""Box-prompted medical image segmentation on an ordinary CPU.

>>> import litemedsam
>>> litemedsam.__version__
'0.1.0'
"""

from importlib import import_module

from .errors import LiteMedSamError, broken_installation

__version__ = "0.1.0"
__all__ = ["LiteMedSamError", "Predictor", "__version__", "segment"]

_LAZY = {"Predictor": "litemedsam.engine.predictor", "segment": "litemedsam.engine.segment"}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        try:
            return getattr(import_module(_LAZY[name]), name)
        except (ImportError, AttributeError) as error:
            broken = broken_installation(error)
            if broken is None:
                raise
            raise broken from error
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
