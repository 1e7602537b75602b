"""Remedies of the command that trains: whoever does what a message says gets weights."""

import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from litemedsam.training.cli import main
from litemedsam.training.loop import initial_model
from training_runs import TINY, write_cases

SETTINGS = {
    "frame": 32,
    "steps": 1,
    "images": 1,
    "prompts": 1,
    "synthetic": 0.0,
    "held_out": 0.0,
    "mixed": "false",
    "workers": 0,
    "measure_scenes": 0,
}


@pytest.fixture
def place(tmp_path):
    """A folder with cases, and weights to start from."""
    (tmp_path / "cases").mkdir()
    write_cases(tmp_path / "cases", 3, 64)
    torch.manual_seed(0)
    torch.save(initial_model(TINY, None).state_dict(), tmp_path / "initial.pth")
    return tmp_path


def run(place, *words, settings=(), out="run", data="cases", init="initial.pth"):
    """The command's exit status and output; settings replace those of `SETTINGS`."""
    lines = [f"{name} = {value}" for name, value in {**SETTINGS, **dict(settings)}.items()]
    (place / "tiny.toml").write_text("\n".join(lines) + "\n")
    given = ["tiny.toml", "--init", init, "--data", data, "--out", out, "--threads", 1, *words]
    paths = {"tiny.toml", init, data, out, "kept"}
    result = CliRunner().invoke(main, [str(place / word if word in paths else word) for word in given])
    return result.exit_code, result.output


def remedied(place, remedy, wrong, right):
    """A call fails with one line that names the remedy; the other call, which obeys it, makes weights."""
    status, output = run(place, *wrong.pop("words", ()), **wrong)
    assert status == 1, output
    lines = [line for line in output.splitlines() if line.startswith("Error: ")]
    assert output.endswith("".join(f"{line}\n" for line in lines[:1])), output
    assert [remedy in line for line in lines] == [True]
    status, output = run(place, *right.pop("words", ()), **right)
    assert status == 0, output
    assert (place / right.get("out", "run") / "last.pth").is_file()


SETTINGS_OF_RUNS = {
    "a value out of range": ("correct steps", {"steps": 0}, {}),
    "a value of another type": ("correct steps", {"steps": '"many"'}, {}),
    "an unknown setting": ("remove or rename them; known: seed, steps", {"stepps": 1}, {}),
    "no syntax": ("correct its syntax, and save it as UTF-8", {"steps": "1 2"}, {}),
    "corrections for a model without": ("set corrections = 0", {"corrections": 2}, {"corrections": 0}),
    "more frozen stages than there are": ("set frozen_stages to at most 6", {"frozen_stages": 9}, {"frozen_stages": 6}),
    "the same, the whole encoder": (
        "or freeze_encoder = true",
        {"frozen_stages": 9},
        {"freeze_encoder": "true", "frozen_stages": 0},
    ),
    "all cases held out": ("give more cases or set held_out = 0", {"held_out": 0.999}, {"held_out": 0}),
    "a loss without end": ("a lower learning_rate, in another folder", {"learning_rate": 1e30, "steps": 3}, {}),
}


@pytest.mark.parametrize(("remedy", "wrong", "right"), SETTINGS_OF_RUNS.values(), ids=SETTINGS_OF_RUNS)
def test_settings(place, remedy, wrong, right):
    remedied(place, remedy, {"settings": wrong}, {"settings": right, "out": "another"})


def test_a_configuration_that_is_not_there(place):
    result = CliRunner().invoke(main, [str(place / "absent.toml"), "--out", str(place / "run")])
    assert "give a TOML file or a recipe's name (decoder, default, finetune" in result.output
    assert run(place)[0] == 0


def save(place, **arrays):
    """One case in a folder of its own, as the challenge has it."""
    (place / "others").mkdir(exist_ok=True)
    usual = {"imgs": np.full((40, 40, 3), 90, np.uint8), "gts": np.pad(np.ones((20, 20), np.uint8), 10)}
    kept = {name: array for name, array in {**usual, **arrays}.items() if array is not None}
    np.savez(place / "others" / "2DBox_CT_one_1.npz", **kept)


CASES = {
    "no marks": ("challenge-format files with the images and the marks", {"gts": None}),
    "images as numbers": ("window and scale them to 0 to 255", {"imgs": np.full((40, 40, 3), 0.5)}),
    "marks as numbers": ("store labels 0, 1, 2, …", {"gts": np.full((40, 40), 0.5)}),
    "marks of another size": ("store them as the challenge does", {"gts": np.ones((20, 20), np.uint8)}),
    "no object": ("give a folder of challenge-format npz files", {"gts": np.zeros((40, 40), np.uint8)}),
}


@pytest.mark.parametrize(("remedy", "wrong"), CASES.values(), ids=CASES)
def test_cases(place, remedy, wrong):
    save(place, **wrong)
    status, output = run(place, data="others")
    assert status == 1
    assert remedy in output
    save(place)
    status, output = run(place, data="others")
    assert status == 0, output


def test_a_folder_that_is_not_there(place):
    remedied(place, "give a folder of challenge-format npz files", {"data": "absent"}, {"data": "cases"})


def test_a_device_that_this_machine_lacks(place, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    remedied(place, "use --device cpu", {"words": ("--device", "cuda")}, {"words": ("--device", "cpu")})


def test_a_run_is_continued_or_made_anew(place):
    remedied(place, "start the run without --resume first", {"words": ("--resume",)}, {})
    remedied(place, "continue it with --resume", {}, {"words": ("--resume",)})
    remedied(place, "or give another --out", {}, {"out": "another"})
    given = {"words": ("--resume",), "settings": {"seed": 5}}
    remedied(place, "resume with the run's own configuration", given, {"words": ("--resume",)})
    given = {"words": ("--resume",), "settings": {"seed": 5}}
    remedied(place, "or start a new run in another folder", given, {"settings": {"seed": 5}, "out": "third"})


def of_another_format(path):
    torch.save({"format": 0}, path)


def a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"text"), of_another_format, a_folder])
def test_a_damaged_run_is_made_anew(place, damage):
    assert run(place)[0] == 0
    damage(place / "run" / "last.pth")
    remedied(place, "start a new run in another folder (--out)", {"words": ("--resume",)}, {"out": "another"})


def test_kept_maps(place):
    kept = {"settings": {"variants": 1, "freeze_encoder": "true"}, "words": ("--keep", "kept")}
    (place / "kept").write_text("a file")
    remedied(place, "give another folder with --keep", dict(kept), {**kept, "words": ("--keep", place / "other")})
    (place / "kept").unlink()
    assert run(place, *kept["words"], settings=kept["settings"], out="first")[0] == 0
    for path in (place / "kept").rglob("*.npz"):
        path.write_bytes(b"damaged")
        named = path
    status, output = run(place, *kept["words"], settings=kept["settings"], out="second")
    assert status == 1
    assert f"{named.parent}" in output
    assert "remove the file" in output
    for path in (place / "kept").rglob("*.npz"):
        path.unlink()
    assert run(place, *kept["words"], settings=kept["settings"], out="third")[0] == 0


def test_weights_of_another_network(place):
    torch.save({"backbone.weight": torch.zeros(3)}, place / "other.pth")
    remedied(place, "give a checkpoint of a known model", {"init": "other.pth"}, {"init": "initial.pth"})
    torch.save([1, 2], place / "other.pth")
    torch.save(initial_model(TINY, None).state_dict(), place / "right.pth")
    given = {"init": "right.pth", "out": "another"}
    remedied(place, "save the model's state_dict() with torch.save", {"init": "other.pth", "out": "another"}, given)


def test_checkpoints_to_average(place):
    from litemedsam.training.mean import mean_state

    from litemedsam import LiteMedSamError

    other = place / "other.pth"
    torch.save({"weight": torch.zeros(3)}, other)
    for paths, remedy in (([], "name at least one checkpoint"), ([place / "initial.pth", other], "of one run")):
        with pytest.raises(LiteMedSamError, match=remedy):
            mean_state(paths)
    same = shutil.copy(place / "initial.pth", place / "same.pth")
    assert mean_state([place / "initial.pth", same]).keys() == mean_state([same]).keys()
