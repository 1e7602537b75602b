"""Tasks: absolute paths, and keys of all that decides a result."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from cluster_parts import write_cases
from litemedsam.engine.bundle.precision import Choice
from litemedsam.engine.io.formats import FORMATS
from litemedsam.engine.objects.clipped import ClippedBoxes
from litemedsam.engine.objects.json_file import BoxesFile
from litemedsam.engine.reporting.case_report import CaseReport
from litemedsam.engine.running.cluster.agreement import Agreement
from litemedsam.engine.running.cluster.tasks import Task, absolute
from litemedsam.engine.running.cluster.worker import Assignment
from litemedsam.engine.running.options import Existing, Options
from litemedsam.engine.settings import EngineSettings

pytest.importorskip("distributed")

ASSIGNMENT = Assignment(EngineSettings(), Agreement(Choice("f32", ""), ("f32", True), "1", "w"), Path("/out"))


@pytest.fixture
def cases(tmp_path, monkeypatch):
    """Two cases, named from the folder above theirs."""
    monkeypatch.chdir(tmp_path)
    return [path.relative_to(tmp_path) for path in write_cases(tmp_path / "cases", ["a", "b"])]


def test_every_path_is_absolute(cases, tmp_path):
    options = Options(
        Path("out"), ClippedBoxes(BoxesFile(Path("boxes.json"))), subfolders=dict.fromkeys(cases, Path("sub")),
        whole_names=frozenset(cases), format=FORMATS["nifti"],
    )  # fmt: skip
    task = Task.of(cases[1], options, ASSIGNMENT)
    sent = pickle.loads(pickle.dumps(task.options))  # noqa: S301 - its own
    assert sent.output == tmp_path / "out"
    assert sent.objects.source.path == tmp_path / "boxes.json"
    assert task.options.format is FORMATS["nifti"]
    assert sent.subfolders == {tmp_path / "cases" / "b.npz": Path("sub")}
    assert sent.whole_names == {tmp_path / "cases" / "b.npz"}
    assert sent.existing is Existing.REPLACE
    assert task.target == Path("out/sub/b.npz.nii.gz")
    assert sent.target(tmp_path / "cases" / "b.npz") == tmp_path / task.target
    assert absolute((1, Path("x"))) == (1, tmp_path / "x")


def test_reports_have_the_names_that_the_user_gave(cases, tmp_path):
    task = Task.of(cases[0], Options(Path("out")), ASSIGNMENT)
    place = tmp_path / "cases" / "a.npz"
    report = CaseReport(
        str(place), str(tmp_path / "out" / "a.npz"), f"{place}: bad", notes=[f"{place}: {tmp_path}/out/a.npz"]
    )
    assert task.named(report) == CaseReport(
        "cases/a.npz", "out/a.npz", "cases/a.npz: bad", notes=["cases/a.npz: out/a.npz"]
    )


def test_keys_are_those_of_inputs_and_settings(cases, tmp_path, monkeypatch):
    options = Options(Path("out"), ClippedBoxes(BoxesFile(Path("boxes.json"))))

    def key(case=cases[0], options=options, assignment=ASSIGNMENT, attempt=0):
        return Task.of(case, options, assignment).key(attempt)

    first = key()
    assert first == key(options=replace(options, existing=Existing.REPLACE, subfolders={cases[1]: Path("x")}))
    others = [
        key(cases[1]),
        key(options=replace(options, output=Path("elsewhere"))),
        key(options=replace(options, objects=BoxesFile(Path("boxes.json")))),
        key(assignment=replace(ASSIGNMENT, settings=EngineSettings(seed=1))),
        key(attempt=1),
    ]
    monkeypatch.chdir(tmp_path / "cases")
    assert key(Path("a.npz"), replace(options, output=Path("../out"), objects=options.objects)) != first
    monkeypatch.chdir(tmp_path)
    os.utime(cases[0], (1, 1))
    others.append(key())
    assert len({first, *others}) == 7
