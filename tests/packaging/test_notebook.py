"""The example notebook and the examples in docstrings run unchanged."""

import doctest
import json
import re
from importlib import import_module
from pathlib import Path

import pytest
from places import EXAMPLES, ROOT

import litemedsam


def test_the_notebook_runs(monkeypatch):
    monkeypatch.chdir(EXAMPLES)
    notebook = json.loads((EXAMPLES / "scan_to_mask.ipynb").read_text())
    names: dict = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            exec(compile("".join(cell["source"]), "notebook", "exec"), names)
    assert names["result"].masks.any()
    assert names["prediction"].masks.shape[0] == len(names["image"]["boxes"])


def documented_modules():
    """Every module of the package whose texts hold an example."""
    package = Path(litemedsam.__file__).parent
    rooms = [package, *(ROOT / room for room in ("models", "training", "export", "engine", "evaluation"))]
    for room in rooms:
        for path in sorted(room.rglob("*.py")):
            if re.search(r"^ *>>> ", path.read_text(), re.MULTILINE):
                parts = [] if room == package else [room.name]
                yield ".".join(["litemedsam", *parts, *path.relative_to(room).with_suffix("").parts]).removesuffix(
                    ".__init__"
                )


def test_the_documented_modules_are_found():
    assert {"litemedsam", "litemedsam.engine.predictor", "litemedsam.engine.segment"} <= set(documented_modules())


@pytest.mark.parametrize("module", sorted(documented_modules()))
def test_documented_examples_run(module):
    outcome = doctest.testmod(import_module(module))
    assert outcome.attempted > 0
    assert outcome.failed == 0
