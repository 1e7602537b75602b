"""From the options of a command line to its cases, and what is asked of each."""

from pathlib import Path

import pytest
from litemedsam.engine.cli.main import main
from litemedsam.engine.cli.selection import Selection
from litemedsam.engine.io.formats import FORMATS
from litemedsam.engine.objects.clipped import ClippedBoxes
from litemedsam.engine.objects.json_file import BoxesFile
from litemedsam.engine.objects.masks import MaskBoxes, WithScribbles
from litemedsam.engine.objects.sources import GivenBoxes, StoredBoxes
from litemedsam.engine.running.cohort import NameClash
from litemedsam.engine.running.options import Existing
from litemedsam.engine.running.outputs import Film, MaskFolder, Picture
from litemedsam.engine.scan.intensity import Window


def selected(*arguments):
    words = ["-o", "out", *map(str, arguments)]
    return Selection.of(main.make_context("litemedsam-infer", words).params)


@pytest.mark.parametrize(
    ("arguments", "objects"),
    [
        ((), StoredBoxes()),
        (("--box", "1,2,3,4", "--box", "5,6,7,8"), GivenBoxes(((1, 2, 3, 4), (5, 6, 7, 8)), False)),
        (("--boxes", "b.json", "--box-space", "world"), BoxesFile(Path("b.json"), True)),
        (("--boxes-from", "m.nii", "--pieces", "--margin", "2"), MaskBoxes(Path("m.nii"), True, 2)),
        (("--clip",), ClippedBoxes(StoredBoxes())),
        (("--clip", "--scribbles", "s.nii"), WithScribbles(ClippedBoxes(StoredBoxes()), Path("s.nii"))),
    ],
)
def test_options_name_the_objects(arguments, objects):
    assert selected("a.npz", *arguments).options.objects == objects


def test_options_name_what_is_written(scans):
    plain = selected(scans / "flat.npz").options
    assert (plain.drawings, plain.existing, plain.format, plain.scaling) == ((), Existing.KEEP, None, None)
    asked = selected(scans / "flat.npz", "--overlay", "gif", "--separate", "--overwrite", "--format", "nifti").options
    assert asked.drawings == (Picture(), Film("gif"), MaskFolder())
    assert (asked.existing, asked.format) == (Existing.REPLACE, FORMATS["nifti"])
    # A page shows pictures.
    page = selected(scans / "flat.npz", "--html", "p.html", "--skip-existing", "--window", "40,80")
    assert page.options.drawings == (Picture(),)
    assert (page.options.existing, page.options.scaling) == (Existing.SKIP, Window(40, 80))
    assert page.records.page == Path("p.html")


def test_parts_share_a_cohort_out(scans, tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("a", "b", "c", "sub/d", "sub/e"):
        (tmp_path / f"{name}.npz").write_bytes((scans / "flat.npz").read_bytes())
    whole = selected(tmp_path)
    assert whole.cases == whole.cohort == sorted(tmp_path.rglob("*.npz"))
    assert whole.options.target(tmp_path / "sub/d.npz") == Path("out/sub/d.npz")
    parts = [selected(tmp_path, "--part", f"{k}/3") for k in (1, 2, 3)]
    assert all(part.cohort == whole.cohort for part in parts)
    assert sorted(case for part in parts for case in part.cases) == whole.cohort


def test_what_the_objects_are_taken_from_is_no_case(scans, tmp_path):
    for name in ("a", "b", "mask"):
        (tmp_path / f"{name}.nii.gz").write_bytes((scans / "mask.nii.gz").read_bytes())
    found = selected("-i", tmp_path, "--boxes-from", tmp_path / "mask.nii.gz")
    assert [case.name for case in found.cases] == ["a.nii.gz", "b.nii.gz"]
    assert found.notes == (f"{tmp_path / 'mask.nii.gz'}: left out, since --boxes-from names it",)


def test_cases_with_one_result_are_refused(scans, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.npz").write_bytes((scans / "flat.npz").read_bytes())
    with pytest.raises(NameClash):
        selected(tmp_path / "one/a.npz", tmp_path / "two/a.npz")
