"""Imports ONNX Runtime so that it stays offline; import ONNX Runtime only from here.

Since version 1.32 it reports each session over the network and stores a device number in the user's cache, unless this
variable is set before the import. `onnxruntime.disable_telemetry_events` does not stop it.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["onnxruntime"]
