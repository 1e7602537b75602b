"""OpenVINO, imported so that it stays offline; import it from here only.

Where the package ``openvino_telemetry`` is installed, ``import openvino`` reports itself over the network. OpenVINO
does without that package where it cannot be imported.
"""

import sys

sys.modules.setdefault("openvino_telemetry", None)

import openvino  # noqa: E402

__all__ = ["openvino"]
