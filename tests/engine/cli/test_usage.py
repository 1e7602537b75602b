"""Options that do not go together are wrong usage, before anything is read; the others become settings."""

from pathlib import Path

import pytest
from litemedsam.engine.cli.main import main
from litemedsam.engine.cli.usage import check_usage, settings_of
from litemedsam.engine.settings import EngineSettings
from sample_scans import BOX

from litemedsam import LiteMedSamError


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--box", "1,2,3"), "has 3 numbers"),
        (("--box", "1,2,3,x"), "is not a list of numbers"),
        (("--spacing", "1"), "has 1 numbers, expected x,y or x,y,z"),
        (("--spacing", "1;1"), "is not a list of numbers with commas between, as in 0.5,0.5,3"),
        (("--box", BOX, "--boxes", "a"), "--box and --boxes exclude each other"),
        (("--pieces",), "--pieces and --margin go with --boxes-from"),
        (("--extend",), "--slice and --extend go with --box"),
        (("--slice", 2, "--boxes", "a"), '--slice and --extend go with --box; a JSON file has "slice"'),
        (("--box", BOX, "--slice", 2, "--box-space", "world"), "--slice goes with boxes in voxels"),
        (("--boxes-from", "a", "--box-space", "world"), "goes with --box or --boxes"),
        (("--box", BOX, "--box-space", "world", "--clip"), "--clip goes with boxes in voxels"),
        (("--overwrite", "--skip-existing"), "exclude each other"),
        (("-i", "a"), "give either case files or a folder"),
        (("--merge", "--check", "--report", "a"), "--merge goes with all parts, and without --check"),
        (("--merge", "--part", "1/2", "--report", "a"), "--merge goes with all parts"),
        (("--merge",), "--merge goes with --report, or for a table alone with --csv"),
        (("--merge", "--csv", "a", "--html", "b"), "--merge goes with --report"),
        (("--cluster-tls", "a", "b", "c"), "--cluster-tls goes with --cluster"),
    ],
)
def test_options_that_do_not_go_together(infer, scans, arguments, words):
    assert words in infer(scans / "scan.nii.gz", *arguments, code=2).stderr


def given(*arguments):
    """The parameters of a command line, which is not run."""
    return main.make_context("litemedsam-infer", ["-o", "out", *arguments]).params


def test_what_goes_together_passes():
    for arguments in (
        ("a.npz",),
        ("-i", "folder", "--boxes", "b.json", "--box-space", "world"),
        ("a.nii", "--boxes-from", "m.nii", "--pieces", "--margin", "3", "--overwrite"),
        ("a.npz", "--merge", "--csv", "run.csv"),
    ):
        check_usage(given(*arguments))


def test_options_become_settings():
    assert settings_of(given("a.npz")) == EngineSettings()
    named = ("--model", "b", "--backend", "onnxruntime", "--precision", "f32", "--protocol", "published")
    found = settings_of(given("a.npz", *named, "--threads", "3", "--seed", "7", "--cache-mb", "0.5"))
    assert found == EngineSettings(Path("b"), "onnxruntime", "f32", "published", 3, 7, 0.5)
    with pytest.raises(LiteMedSamError, match="cache_mb is "):
        settings_of(given("a.npz", "--cache-mb", "1e12"))
