"""Parts of a cohort from the command line: segmented apart, checked, merged."""

import json

import numpy as np
import pytest
from litemedsam.engine.running.parts import Part


@pytest.fixture
def cohort(tmp_path):
    """Twelve images and volumes in folders, one of them broken."""
    rng = np.random.default_rng(0)
    for k in range(12):
        folder = tmp_path / "cohort" / f"patient-{k % 4}"
        folder.mkdir(parents=True, exist_ok=True)
        box, shape = ([2, 3, 40, 50], (70, 60)) if k % 3 else ([2, 3, 1, 40, 50, 3], (5, 70, 60))
        np.savez(folder / f"{k}.npz", imgs=rng.integers(0, 255, shape, np.uint8), boxes=[box])
    (tmp_path / "cohort" / "patient-2" / "6.npz").write_bytes(b"PK")
    return tmp_path / "cohort"


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def records(folder):
    folder.mkdir()
    return ("--report", folder / "run.json", "--csv", folder / "objects.csv", "--html", folder / "page.html")


def without_seconds(path):
    read = json.loads(path.read_text())
    del read["run"]["seconds_to_load"]
    for case in read["cases"]:
        del case["seconds"]
    return read


def test_parts_give_the_bytes_and_the_records_of_the_whole(infer_into, cohort, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    infer_into(whole)(cohort, *records(tmp_path / "of-whole"), code=1)
    into, given = infer_into(parts), records(tmp_path / "of-parts")
    counts = []
    for number in (4, 2, 1, 3):
        run = into(cohort, *given, "--part", f"{number}/4", code=None)
        count = len(contents(parts))
        assert f"Note: part {number} of 4: " in run.output
        counts.append(count)
    assert counts == sorted(set(counts))
    assert contents(parts) == contents(whole)
    assert len(contents(whole)) == 22

    run = into(cohort, *given, "--merge", code=1)
    assert "11 of 12 segmented, 1 failed, 0 missing" in run.stdout
    assert "6.npz: not an npz file" in run.stderr
    for name in ("run.json", "objects.csv"):
        of_parts, of_whole = tmp_path / "of-parts" / name, tmp_path / "of-whole" / name
        if name == "run.json":
            text = json.dumps(without_seconds(of_parts))
            assert text.replace(str(parts), str(whole)) == json.dumps(without_seconds(of_whole))
        else:
            assert of_parts.read_text().replace(str(parts), str(whole)) == of_whole.read_text()
    assert (tmp_path / "of-parts" / "page.html").read_text().count("data:image/png") == 11


def test_what_is_missing_is_listed(infer, cohort, tmp_path):
    infer(cohort, "--part", "1/2", "--report", tmp_path / "run.json", code=None)
    run = infer(cohort, "--part", "all", "--check", code=1)
    done = {path.name for path in (tmp_path / "results").rglob("*.npz")}
    *missing, last = run.stdout.splitlines()
    assert {line.rpartition("/")[2] for line in missing} == {f"{k}.npz" for k in range(12)} - done
    assert last == f"{len(done)} of 12 cases have a result, {12 - len(done)} missing"
    assert infer(cohort, "--check", "-q", code=1).stdout.splitlines() == missing
    run = infer(cohort, "--part", "2/2", "--check", code=1)
    assert "part 2 of 2: 0 of " in run.stdout
    run = infer(cohort, "--report", tmp_path / "run.json", "--merge", code=1)
    assert "Note: part 2 of 2 left no record" in run.stdout
    assert f"Error: {missing[0]}: has no result, and no part reports it" in run.stderr

    (cohort / "patient-2" / "6.npz").unlink()
    infer(cohort, "--part", "2/2", "--report", tmp_path / "run.json", "--skip-existing", code=None)
    run = infer(cohort, "--check")
    assert run.stdout == "11 of 11 cases have a result, 0 missing\n"
    run = infer(cohort, "--merge", "--report", tmp_path / "run.json")
    assert "11 of 11 segmented, 0 failed, 0 missing" in run.stdout
    Part(2, 2).record(tmp_path / "run.json").unlink()
    (tmp_path / "run.json").unlink()
    run = infer(cohort, "--merge", "--report", tmp_path / "run.json")
    assert "with a result but no record" in run.stdout


def test_a_check_makes_nothing(infer, cohort, tmp_path):
    infer(cohort, "--check", code=1)
    assert not (tmp_path / "results").exists()


def test_a_part_may_have_no_case(infer, cohort, tmp_path):
    case = cohort / "patient-1" / "1.npz"
    runs = [infer(case, "--part", f"{k}/3", "--workers", 2, "--report", tmp_path / "r.json") for k in (1, 2, 3)]
    assert sorted("1 of 1 cases" in run.stdout for run in runs) == [False, False, True]
    assert "1 of 1 segmented" in infer(case, "--merge", "--report", tmp_path / "r.json").stdout


def test_a_part_s_records_protect_the_inputs_of_all_parts(infer, cohort, tmp_path):
    target = cohort / "patient-1" / "5.npz"
    before = target.read_bytes()
    for number in (1, 2):
        run = infer(cohort, "--part", f"{number}/2", output=cohort, code=1)
        assert "is read by this run" in run.stderr
    assert target.read_bytes() == before
    run = infer(cohort, "--report", cohort / "patient-1" / "5.npz", "--merge", code=1)
    assert "is read by this run" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--part", "3/2"), "expected K/N"),
        (("--part", "auto"), "SLURM_ARRAY_TASK_ID is not set"),
        (("--merge",), "--merge goes with --report"),
        (("--merge", "--html", "p.html", "--csv", "t.csv"), "--merge goes with --report"),
        (("--merge", "--report", "r.json", "--part", "1/2"), "--merge goes with all parts"),
        (("--merge", "--report", "r.json", "--check"), "--merge goes with all parts"),
    ],
)
def test_options_that_do_not_go_together(infer, cohort, monkeypatch, arguments, words):
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID", raising=False)
    assert words in infer(cohort, *arguments, code=2).stderr


def test_a_quiet_merge_says_nothing_of_what_is_there(infer_into, cohort, tmp_path):
    into, given = infer_into(tmp_path / "parts"), records(tmp_path / "of-parts")
    for number in (1, 2):
        into(cohort, *given, "--part", f"{number}/2", code=None)
    run = into(cohort, *given, "--merge", "-q", code=1)
    (line,) = run.output.splitlines()
    assert line.startswith("Error: ")
    assert "6.npz" in line
