"""The example notebook and the documented examples run as they stand."""

import doctest
import json
from importlib import import_module
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


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


@pytest.mark.parametrize("module", ["litemedsam", "litemedsam.engine.predictor", "litemedsam.engine.scans"])
def test_documented_examples_run(module):
    outcome = doctest.testmod(import_module(module))
    assert outcome.attempted > 0
    assert outcome.failed == 0
