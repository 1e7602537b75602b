"""The types hold: strictly in what a user imports, plainly elsewhere; setup.cfg says what that means."""

import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Beside the package: what measures it, and what its tests share.
BESIDE = sorted([*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "tests").glob("*.py")])


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The packages where their names say, which a type checker needs and the repository does not have."""
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    tree = tmp_path_factory.mktemp("types")
    for line in settings["options"]["package_dir"].split("\n"):
        if not line:
            continue
        package, folder = (part.strip() for part in line.split("="))
        place = tree.joinpath(*package.split("."))
        if "." in package:
            place.symlink_to(ROOT / folder)
            continue
        place.mkdir()
        for entry in (ROOT / folder).iterdir():
            (place / entry.name).symlink_to(entry)
    for script in BESIDE:
        (tree / script.name).symlink_to(script)
    return tree


def errors(tree, *arguments):
    """The lines that mypy prints of errors."""
    command = [sys.executable, "-m", "mypy", "--config-file", ROOT / "setup.cfg", "--cache-dir", tree / "cache"]
    run = subprocess.run([*command, "--no-error-summary", *arguments], cwd=tree, capture_output=True, text=True)
    assert run.stderr == ""
    return [line for line in run.stdout.splitlines() if re.search(": error: ", line)]


def test_the_package_and_what_stands_beside_it_are_free_of_type_errors(tree):
    beside = [argument for script in BESIDE for argument in ("-m", script.stem)]
    assert errors(tree, "-p", "litemedsam", *beside) == []


def test_a_wrong_type_would_be_found(tree):
    (tree / "wrong.py").write_text(
        "from litemedsam.overlap import dice\n\nvalue: str = dice(1, 2)\n"
        "from litemedsam.models import LiteMedSAM, SwinLiteMedSAM\n"
        "from litemedsam.models.interface import PromptableModel\n\n"
        "models: list[PromptableModel] = [LiteMedSAM(), SwinLiteMedSAM()]\n"
        "other: PromptableModel = object()\n"
    )
    found = errors(tree, "wrong.py")
    assert sorted({line.split(":")[1] for line in found if line.startswith("wrong.py")}) == ["3", "8"]
