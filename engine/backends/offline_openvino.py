"""Imports OpenVINO so that it stays offline and starts fast; import OpenVINO only from here.

If the package ``openvino_telemetry`` is installed, ``import openvino`` sends a report over the network. This module
hides that package, and OpenVINO works without it. It also hides OpenVINO's model converter during the import, because
the converter takes half of the import's time. Other code can import the converter by its own name afterwards.
"""

import os
import sys
from functools import cache
from types import ModuleType
from typing import cast

_CONVERTER = "openvino.tools.ovc"

# None stands for a module that cannot be imported.
sys.modules.setdefault("openvino_telemetry", cast(ModuleType, None))
_without_converter = sys.modules.setdefault(_CONVERTER, cast(ModuleType, None)) is None

import numpy as np  # noqa: E402
import openvino  # noqa: E402

from ...errors import LiteMedSamError  # noqa: E402

if _without_converter:
    del sys.modules[_CONVERTER]

# OpenVINO builds its tables of types on first use. Two threads that do this at once wait for each other.
_probe = openvino.Tensor(np.zeros(1, np.float32), shared_memory=True)
_probe.get_element_type().to_dtype()
openvino.Type(np.dtype(np.uint8))
_ = _probe.data

__all__ = ["core", "openvino"]


# Not empty in a process that was forked after OpenVINO had been used.
_forked: list[bool] = []


@cache
def _core() -> openvino.Core:
    return openvino.Core()


def _after_fork() -> None:
    if _core.cache_info().currsize:
        _forked.append(True)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def core() -> openvino.Core:
    """The only OpenVINO core of this process.

    It is never freed: on processors with AMX it owns the stack of this process's signal handlers.

    Raises
    ------
    LiteMedSamError
        In a process that was forked after OpenVINO had been used. OpenVINO's threads exist only in the parent, and
        waiting for them would never end.
    """
    if _forked:
        raise LiteMedSamError(
            "OpenVINO was used before this process was forked",
            'start processes with multiprocessing.get_context("spawn")',
        )
    return _core()
