"""OpenVINO, imported so that it stays offline and starts fast; import it from here only.

Where the package ``openvino_telemetry`` is installed, ``import openvino`` reports itself over the network. OpenVINO
does without that package where it cannot be imported. Nor does it need its converter of models of other kinds, which
takes half the time of the import; whoever does can import it by its own name afterwards.
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

# Its tables of types are made when they are first used; two threads that come to that at once wait for each other.
_probe = openvino.Tensor(np.zeros(1, np.float32), shared_memory=True)
_probe.get_element_type().to_dtype()
openvino.Type(np.dtype(np.uint8))
_ = _probe.data

__all__ = ["core", "openvino"]


# Whether this process was forked from one that had used OpenVINO.
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
    """The one OpenVINO of this process.

    Never freed: it owns the stack that this process's signal handlers run on, on processors with AMX.

    Raises
    ------
    LiteMedSamError
        In a process forked from one that had used OpenVINO: its threads exist in the parent alone, and waiting for them
        would never end.
    """
    if _forked:
        raise LiteMedSamError(
            "OpenVINO was used before this process was forked",
            'start processes with multiprocessing.get_context("spawn")',
        )
    return _core()
