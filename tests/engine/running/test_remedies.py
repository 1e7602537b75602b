"""Remedies of runs over many cases: whoever does what a message says gets all results."""

import json
import shutil

import pytest
from litemedsam.engine.running.cluster.jobs import Jobs
from litemedsam.engine.running.cluster.sites import site_named

from litemedsam import LiteMedSamError

BOX = ("--box", "9,13,29,30")


@pytest.fixture
def cohort(scans, tmp_path):
    """A folder of three pictures."""
    folder = tmp_path / "cases"
    folder.mkdir()
    for name in "abc":
        shutil.copy(scans / "slice.png", folder / f"{name}.png")
    return folder


def stored(tmp_path):
    return sorted(path.name for path in (tmp_path / "results").iterdir())


ALL = ["a.png", "b.png", "c.png"]


def test_parts_and_their_records(infer, cohort, tmp_path, monkeypatch):
    for name in ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"):
        monkeypatch.delenv(name, raising=False)
    given = ("-i", cohort, *BOX)
    for wrong in ("auto", "2 of 5", "3/2"):
        assert "give --part K/N, such as 2/5" in infer(*given, "--part", wrong, code=None).output
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "1")
    monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "1")
    monkeypatch.setenv("SLURM_ARRAY_TASK_MAX", "3")
    assert "an array without gaps, such as --array=1-5" in infer(*given, "--part", "auto", code=None).output
    report = tmp_path / "run.json"
    for name, value in {"COUNT": "2", "MAX": "2"}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    for task in "12":
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", task)
        infer(*given, "--part", "auto", "--report", report)
    assert stored(tmp_path) == ALL

    assert "--merge goes with --report, or for a table alone with --csv" in infer(*given, "--merge", code=2).output
    other = tmp_path / "other.json"
    assert (
        "give the same --report and --csv as to the parts"
        in infer(*given, "--merge", "--report", other, code=None).output
    )
    infer(*given, "--merge", "--report", report)
    assert len(json.loads(report.read_text())["cases"]) == 3


def test_parts_of_unlike_options(infer, cohort, tmp_path):
    given, report = ("-i", cohort, *BOX, "--report", tmp_path / "run.json"), tmp_path / "run.json"
    infer(*given, "--part", "1/2", "--precision", "f32")
    infer(*given, "--part", "2/2", "--precision", "f32", "--protocol", "published")
    said = infer(*given, "--merge", code=1).output
    assert "segment all parts with the same options; --overwrite replaces results" in said
    for part in ("1/2", "2/2"):
        infer(*given, "--part", part, "--precision", "f32", "--overwrite")
    infer(*given, "--merge")
    assert len(json.loads(report.read_text())["cases"]) == 3


def test_a_result_that_leaves_its_folder_through_a_link(infer, cohort, tmp_path):
    inner = cohort / "inner"
    inner.mkdir()
    (cohort / "a.png").rename(inner / "a.png")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "inner").symlink_to(tmp_path / "elsewhere")
    said = infer("-i", cohort, *BOX, code=1).output
    assert "give that folder itself with -o" in said
    assert stored(tmp_path) == ["b.png", "c.png", "inner"]
    infer("-i", inner, *BOX, output=tmp_path / "elsewhere")
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["a.png"]


def test_a_record_over_another_file(infer, cohort, tmp_path):
    notes = tmp_path / "notes.csv"
    notes.write_text("my own table\n")
    said = infer("-i", cohort, *BOX, "--csv", notes, code=1).output
    assert "exists and is no" in said
    assert "give another name, or remove it" in said
    assert notes.read_text() == "my own table\n"
    infer("-i", cohort, *BOX, "--csv", tmp_path / "new.csv")
    notes.unlink()
    infer("-i", cohort, *BOX, "--csv", notes, "--overwrite")
    assert len(notes.read_text().splitlines()) == 4


JOBS = "system: slurm\njobs: 2\ncores: 2\nmemory: 8GB\n"
# What a file holds instead, and what the message says to write.
FILES = {
    "no system": ("jobs: 2\n", "expected one of "),
    "no number of jobs": (JOBS.replace("jobs: 2", "jobs: many"), "expected a whole number of at least 1"),
    "no memory": (JOBS.replace("memory: 8GB\n", ""), "expected a text such as 8GB"),
    "no YAML": ("system: [\n", "see docs/cohorts.md"),
}


@pytest.mark.parametrize(("content", "remedy"), FILES.values(), ids=FILES)
def test_a_file_of_a_batch_system(tmp_path, content, remedy):
    path = tmp_path / "lab.yaml"
    path.write_text(content)
    with pytest.raises(LiteMedSamError, match=remedy):
        Jobs.read(path)
    path.write_text(JOBS)
    assert Jobs.read(path).cores == 2


def test_the_name_of_a_cluster():
    with pytest.raises(LiteMedSamError, match="on this machine, local:") as refusal:
        site_named("nowhere")
    named = str(refusal.value).rpartition("on this machine, ")[2]
    assert site_named(named)
