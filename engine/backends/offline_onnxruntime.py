"""ONNX Runtime, imported so that it stays offline; import it from here only.

Its packages since 1.32 report each session over the network, and keep a device's number in the user's cache, unless
this variable is set before they are loaded; `onnxruntime.disable_telemetry_events` does not stop it.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["onnxruntime"]
