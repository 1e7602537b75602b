"""Parts of a cohort."""

import hashlib
import os
from pathlib import Path, PurePosixPath

import pytest
from litemedsam.engine.running.parts import Part, parts_recorded

from litemedsam import LiteMedSamError

NAMES = [PurePosixPath(f"patient-{k // 3:03}/series-{k % 3}.nii.gz") for k in range(999)]


def array(task, count, first=1, last=None, step=1):
    names = ("TASK_ID", "TASK_COUNT", "TASK_MIN", "TASK_MAX", "TASK_STEP")
    values = (task, count, first, first + step * (count - 1) if last is None else last, step)
    return {f"SLURM_ARRAY_{name}": str(value) for name, value in zip(names, values, strict=True)}


def test_every_case_belongs_to_one_part_of_about_equal_size():
    for count in (1, 2, 5, 16):
        parts = [Part(number, count) for number in range(1, count + 1)]
        sizes = [sum(part.holds(name) for name in NAMES) for part in parts]
        assert all(sum(part.holds(name) for part in parts) == 1 for name in NAMES)
        assert max(sizes) - min(sizes) < 0.5 * len(NAMES) / count


def test_a_part_is_the_digest_of_the_name_modulo_the_count():
    name = PurePosixPath("a/scan.nii.gz")
    digest = int(hashlib.blake2b(b"a/scan.nii.gz", digest_size=8).hexdigest(), 16)
    assert [k for k in range(1, 8) if Part(k, 7).holds(name)] == [digest % 7 + 1]
    odd = PurePosixPath(os.fsdecode(b"caf\xe9.npz"))
    assert sum(Part(k, 3).holds(odd) for k in (1, 2, 3)) == 1


def test_parts_in_text():
    assert Part.of("2/5", {}) == Part(2, 5)
    assert str(Part(2, 5)) == "part 2 of 5"
    assert Part.of("all", {}) == Part(1, 1)
    assert Part.of("all", {}).whole
    for text in ("0/5", "6/5", "5", "1/0", "a/b", "-1/5", "1/5/9", "", "²/5", "1/9999999999"):
        with pytest.raises(LiteMedSamError, match="expected K/N"):
            Part.of(text, {})


def test_the_task_of_a_job_array():
    assert Part.of("auto", array(3, 5)) == Part(3, 5)
    assert Part.of("auto", array(0, 5, first=0)) == Part(1, 5)
    assert Part.of("auto", array(14, 3, first=10, step=4)) == Part(2, 3)
    assert Part.of("auto", {"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_COUNT": "4"}) == Part(4, 4)
    # One task of an array that is run again is an array of one: it takes what is left of the whole.
    assert Part.of("auto", array(3, 1, first=3)) == Part(1, 1)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "SLURM_ARRAY_TASK_ID is not set"),
        ({"SLURM_ARRAY_TASK_ID": "1"}, "SLURM_ARRAY_TASK_COUNT is not set"),
        (array("x", 5), "is 'x', expected a whole number"),
        (array(7, 3, last=7), "expected an array without gaps"),
        (array(11, 3, first=10, step=4), "expected an array without gaps"),
        (array(0, 5), "expected an array without gaps"),
    ],
)
def test_what_is_no_task_of_an_array_is_refused(environment, words):
    with pytest.raises(LiteMedSamError, match=words) as caught:
        Part.of("auto", environment)
    assert "--part K/N" in str(caught.value)


def test_records_of_parts_lie_beside_the_record_of_the_whole(tmp_path):
    assert Part(2, 5).record(Path("a/run.json")) == Path("a/run.part-2-of-5.json")
    assert Part(1, 1).record(Path("a/run.json")) == Path("a/run.json")
    for name in (
        "run.part-2-of-5.json", "run.part-1-of-5.json", "run.part-10-of-11.json", "run.json", "run.part-6-of-5.json",
        "run.part-2-of-5.csv", "other.part-2-of-5.json", "run.part-02-of-5.json", "run.part-1-of-1.json",
    ):  # fmt: skip
        (tmp_path / name).touch()
    found = parts_recorded(tmp_path / "run.json")
    assert list(found.values()) == [Part(1, 5), Part(2, 5), Part(10, 11)]
    assert next(path.name for path in found) == "run.part-1-of-5.json"
