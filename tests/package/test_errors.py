"""Messages are one line that every stream can write."""

import os
import subprocess
import sys

import pytest

from litemedsam import LiteMedSamError
from litemedsam.errors import broken_installation, readable


def test_a_message_is_one_line_with_its_remedy():
    assert str(LiteMedSamError("a\nb", "c\t d")) == "a b; c d"


def test_bytes_that_are_not_utf8_are_escaped():
    name = os.fsdecode(b"caf\xe9.png")
    assert readable(name) == r"caf\xe9.png"
    assert str(LiteMedSamError(f"{name}: damaged")) == r"caf\xe9.png: damaged"


def test_other_halves_of_characters_are_escaped_and_whole_ones_are_not():
    assert readable("\ud83d and é 🫀") == r"\ud83d and é 🫀"
    readable("\udfff").encode()


BROKEN = {
    "absent": "sys.modules['cv2'] = None",
    # What `pip uninstall opencv-python` leaves of the folder that it shares.
    "emptied": "import types; sys.modules['cv2'] = types.ModuleType('cv2')",
}


@pytest.mark.parametrize("state", BROKEN)
@pytest.mark.parametrize(
    "call",
    [
        "from litemedsam.engine.cli.main import command; sys.argv[1:] = ['a.npz']; command()",
        "import litemedsam\ntry:\n    litemedsam.Predictor\n"
        "except litemedsam.LiteMedSamError as error:\n    sys.exit(f'Error: {error}')",
    ],
)
def test_a_broken_opencv_is_one_line_with_its_remedy(tmp_path, state, call):
    code = f"import sys; {BROKEN[state]}\n{call}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith("Error: OpenCV cannot be loaded (")
    assert line.endswith("; run pip install --force-reinstall opencv-python-headless")


def test_other_missing_modules_are_not_opencv():
    assert broken_installation(ModuleNotFoundError("No module named 'other'")) is None
