"""No runtime reports over the network."""

import subprocess
import sys


def test_nothing_reports_over_the_network():
    """No socket is opened, and the runtime's reporting package is not even loaded."""
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from litemedsam import Predictor\n"
        "import numpy as np\n"
        "predictor = Predictor()\n"
        "predictor.segment(np.zeros((20, 20), np.uint8), [[2, 2, 9, 9]])\n"
        "print([name for name, module in sys.modules.items() if module and name.startswith('openvino_telemetry')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    assert run.stderr == ""
