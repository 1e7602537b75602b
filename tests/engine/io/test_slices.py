"""A folder of pictures as a volume."""

from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.io.formats import FORMATS, format_of, result_name
from litemedsam.engine.io.slices import Slices, _shortened
from litemedsam.engine.objects.masks import MaskBoxes
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare
from picture_files import tiff
from PIL import Image
from synthetic_scans import phantom, write_slices

from litemedsam import LiteMedSamError

VOLUME = phantom(12, 20, 30)


def refusal(folder):
    with pytest.raises(LiteMedSamError) as error:
        format_of(folder).read(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["slice{}.png", "a_{:03}_10.bmp", "Patient 3, {:.0f}.tif"])
def test_slices_come_in_the_order_of_their_numbers(tmp_path, name):
    folder = write_slices(tmp_path / "head", VOLUME, name)
    (folder / "notes.txt").write_text("not a slice")
    scan = format_of(folder).read(folder)
    np.testing.assert_array_equal(scan.voxels, VOLUME)
    assert scan.is_volume
    assert scan.spacing is None
    prepared = prepare(scan, Objects.of_boxes("scan", np.array([[1.0, 2, 3, 4, 5, 6]])))
    np.testing.assert_array_equal(prepared.case.pixels, VOLUME)


def test_deep_and_coloured_slices(tmp_path):
    deep = VOLUME.astype(np.uint16) * 200
    scan = Slices().read(write_slices(tmp_path / "deep", deep))
    np.testing.assert_array_equal(scan.voxels, deep)
    coloured = np.stack([VOLUME, VOLUME // 2, 255 - VOLUME], axis=-1)
    scan = Slices().read(write_slices(tmp_path / "colour", coloured))
    np.testing.assert_array_equal(scan.voxels, coloured)
    assert scan.grid == VOLUME.shape


def test_results_are_a_folder_of_the_same_names(tmp_path):
    folder = write_slices(tmp_path / "head", VOLUME, "slice{}.jpg")
    scan = Slices().read(folder)
    target = tmp_path / "out" / result_name(folder, FORMATS["slices"])
    assert target.name == "head"
    labels = (VOLUME == 200).astype(np.uint16) * 300
    for _ in range(2):
        FORMATS["slices"].write(target, labels, scan, ())
        assert {path.stem for path in target.iterdir()} == {path.stem for path in folder.iterdir()}
        np.testing.assert_array_equal(Slices().read_mask(target, scan).labels, labels)
        assert [path.name for path in target.parent.iterdir()] == ["head"]

    for given in (target, target.parent):
        found = MaskBoxes(given).objects(folder, scan)
        np.testing.assert_array_equal(found.boxes[0, [2, 5]], [0, 11])
        assert found.names == ("300",)

    (tmp_path / "file").touch()
    with pytest.raises(LiteMedSamError, match="cannot be written"):
        FORMATS["slices"].write(tmp_path / "file" / "head", labels, scan, ())


def test_any_volume_may_become_slices(tmp_path):
    np.savez(tmp_path / "volume.npz", imgs=VOLUME)
    scan = FORMATS["npz"].read(tmp_path / "volume.npz")
    FORMATS["slices"].write(tmp_path / "out", VOLUME, scan, ())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{z:02}.png" for z in range(12)]
    np.testing.assert_array_equal(Slices().read_mask(tmp_path / "out", scan).labels, VOLUME)


def test_few_labels_have_the_colours_of_one_palette(tmp_path):
    labels = np.zeros(VOLUME.shape, np.uint8)
    labels[1, 2:5, 3:9], labels[7, 2:5, 3:9] = 2, 9
    scan = FORMATS["slices"].read(write_slices(tmp_path / "head", VOLUME))
    FORMATS["slices"].write(tmp_path / "out", labels, scan, ())
    np.testing.assert_array_equal(Slices().read_mask(tmp_path / "out", scan).labels, labels)
    palettes = set()
    for path in (tmp_path / "out").iterdir():
        with Image.open(path) as picture:
            palettes.add(tuple(picture.getpalette()))
    assert len(palettes) == 1


def test_slices_where_high_values_are_dark(tmp_path):
    folder = tmp_path / "head"
    folder.mkdir()
    for z, page in enumerate(VOLUME[:3].astype(np.uint16)):
        (folder / f"{z}.tif").write_bytes(tiff([page], 0))
    assert Slices().read(folder).inverted
    (folder / "2.tif").write_bytes(tiff([VOLUME[2].astype(np.uint16)], 1))
    assert "high values are dark on some slices" in refusal(folder)


def test_bad_folders_are_refused_in_one_line(tmp_path):
    folder = write_slices(tmp_path / "head", VOLUME)
    (folder / "slice_004.png").unlink()
    assert "slices missing between slice_003.png and slice_005.png" in refusal(folder)

    folder = write_slices(tmp_path / "twice", VOLUME)
    (folder / "slice_4.png").write_bytes((folder / "slice_004.png").read_bytes())
    assert "two pictures of slice 4" in refusal(folder)

    folder = write_slices(tmp_path / "sizes", VOLUME)
    Image.fromarray(VOLUME[0, :9]).save(folder / "slice_007.png")
    assert "slice_007.png: 30 × 9 pixels of uint8, where slice_000.png is 30 × 20" in refusal(folder)
    Image.fromarray(VOLUME[0]).convert("RGB").save(folder / "slice_007.png")
    assert "in colour" in refusal(folder)
    (folder / "slice_007.png").write_bytes(b"")
    assert "slice_007.png: not a picture" in refusal(folder)

    folder = tmp_path / "pages"
    folder.mkdir()
    pages = [Image.fromarray(page) for page in VOLUME]
    pages[0].save(folder / "all.tif", save_all=True, append_images=pages[1:])
    assert "holds 12 pages" in refusal(folder)

    scan = Slices().read(write_slices(tmp_path / "good", VOLUME))
    with pytest.raises(LiteMedSamError, match="65535 objects"):
        FORMATS["slices"].write(tmp_path / "out", np.zeros(VOLUME.shape, np.uint32), scan, ())
    with pytest.raises(LiteMedSamError, match="no frames"):
        Slices().read(Path(scan.name), 0)


def test_names_that_differ_in_more_than_numbers_are_no_stack(tmp_path):
    folder = tmp_path / "stack"
    folder.mkdir()
    for k in range(1, 4):
        for name in (f"a ({k}).png", f"a ({k})_mask.png"):
            Image.fromarray(VOLUME[0]).save(folder / name)
    assert "a (1).png and a (1)_mask.png differ in more than their numbers; put the slices of one" in refusal(folder)
    for path in folder.glob("*_mask.png"):
        path.unlink()
    assert format_of(folder).read(folder).voxels.shape[0] == 3
    Image.fromarray(VOLUME[0]).save(folder / "mask.png")
    assert "mask.png and a (1).png differ" in refusal(folder)
    for path in folder.iterdir():
        path.unlink()
    for name in ("base.png", "middle.png", "top.png"):
        Image.fromarray(VOLUME[0]).save(folder / name)
    assert format_of(folder).read(folder).origin.names == ("base", "middle", "top")


def test_notes_on_single_slices_are_told_once():
    assert _shortened(Path("a"), []) == ()
    assert _shortened(Path("a"), ["one"]) == ("one",)
    assert _shortened(Path("a"), ["one", "two"]) == ("one (2 such notes on the slices of a)",)
