"""ONNX Runtime is told not to report before it is imported; a user's own choice stays."""

import os
import subprocess
import sys

import pytest

CODE = (
    "import os; from litemedsam.engine.backends.offline_onnxruntime import onnxruntime; "
    "print(onnxruntime.__name__, os.environ['ORT_DISABLE_TELEMETRY'])"
)


@pytest.mark.parametrize(("own", "found"), [(None, "1"), ("yes", "yes")])
def test_reporting_is_off(own, found):
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    if own is not None:
        environment["ORT_DISABLE_TELEMETRY"] = own
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["onnxruntime", found]
