"""A mask lies on the grid of its scan and holds whole numbers."""

import zlib
from itertools import permutations, product

import nibabel
import numpy as np
import pytest
from litemedsam.engine.io.formats import FORMATS, format_of
from litemedsam.engine.objects.masks import MaskBoxes
from litemedsam.engine.scan.geometry import Geometry
from litemedsam.engine.scan.scan import Scan
from picture_files import png
from PIL import Image
from synthetic_scans import phantom

from litemedsam import LiteMedSamError

PIXELS = phantom(1, 8, 10)[0]


def test_masks_hold_whole_numbers(tmp_path):
    scan = Scan("scan", np.zeros((3, 4, 5), np.uint8), True)
    path = tmp_path / "a.npz"
    for array, good in (
        (np.ones((3, 4, 5), bool), True),
        (np.full((3, 4, 5), 7.0, np.float32), True),
        (np.full((3, 4, 5), 7.5), False),
        (np.full((3, 4, 5), 1e12), False),
        (np.full((3, 4, 5), np.nan), False),
        (np.full((3, 4, 5), "a"), False),
    ):
        np.savez(path, segs=array)
        if good:
            assert format_of(path).read_mask(path, scan).labels.dtype.kind in "iu"
            np.testing.assert_array_equal(format_of(path).read_mask(path, scan).labels, array.astype(int))
        else:
            with pytest.raises(LiteMedSamError, match="expected labels"):
                format_of(path).read_mask(path, scan)
    np.savez(path, imgs=PIXELS)
    with pytest.raises(LiteMedSamError, match="lacks a mask; expected the key gts or segs"):
        format_of(path).read_mask(path, scan)


def test_every_format_reads_the_masks_that_it_writes(tmp_path):
    labels = (phantom(4, 8, 10) == 200).astype(np.uint8) * 3
    volume = Scan("scan", np.zeros(labels.shape, np.uint8), True)
    for name, file in (("npz", "a.npz"), ("nifti", "a.nii.gz"), ("png", "a.tif"), ("slices", "slices")):
        path = tmp_path / file
        FORMATS[name].write(path, labels, volume, ("a", "", "c"))
        mask = FORMATS[name].read_mask(path, volume)
        np.testing.assert_array_equal(mask.labels, labels)
        assert mask.names == ({1: "a", 3: "c"} if name == "nifti" else {})
        with pytest.raises(LiteMedSamError, match=r"voxels along x, y, z; the scan scan has \(10, 8, 5\)"):
            FORMATS[name].read_mask(path, Scan("scan", np.zeros((5, 8, 10), np.uint8), True))


FLAT = Scan("scan", PIXELS, False)


def painted(*colours):
    """A picture (8, 10, 3), black but for one block of each colour, and where the blocks are."""
    picture, places = np.zeros((8, 10, 3), np.uint8), np.zeros((8, 10), np.uint8)
    for k, colour in enumerate(colours):
        picture[1:4, 3 * k : 3 * k + 2] = colour
        places[1:4, 3 * k : 3 * k + 2] = k + 1
    return picture, places


def mask_of(path, scan=FLAT):
    return format_of(path).read_mask(path, scan)


def test_each_colour_of_a_mask_is_a_label(tmp_path):
    # All have the same red; in the order of red, green, blue the second comes first.
    picture, places = painted((200, 9, 11), (200, 0, 0), (200, 9, 12))
    Image.fromarray(picture).save(tmp_path / "a.png")
    mask = mask_of(tmp_path / "a.png")
    np.testing.assert_array_equal(mask.labels, np.array([0, 2, 1, 3])[places])
    assert mask.names == {1: "#c80000", 2: "#c8090b", 3: "#c8090c"}
    assert mask.notes == ()
    for name in ("a.bmp", "a.tif"):
        Image.fromarray(picture).save(tmp_path / name)
        np.testing.assert_array_equal(mask_of(tmp_path / name).labels, mask.labels)


def test_grey_levels_in_three_channels_are_labels(tmp_path):
    picture, places = painted((1, 1, 1), (255, 255, 255), (7, 7, 7))
    Image.fromarray(picture).save(tmp_path / "a.png")
    mask = mask_of(tmp_path / "a.png")
    np.testing.assert_array_equal(mask.labels, np.array([0, 1, 255, 7])[places])
    assert mask.names == {}


def test_transparent_pixels_of_a_mask_are_background(tmp_path):
    picture, places = painted((200, 0, 0), (0, 0, 200))
    picture[places == 0] = 255
    alpha = np.where(places == 0, 0, 128).astype(np.uint8)
    Image.fromarray(np.dstack([picture, alpha])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(mask_of(tmp_path / "a.png").labels, np.array([0, 2, 1])[places])
    Image.fromarray(np.dstack([picture[..., 0], alpha])).save(tmp_path / "b.png")
    np.testing.assert_array_equal(mask_of(tmp_path / "b.png").labels, np.array([0, 200, 0])[places])


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_indices_of_a_palette_are_labels(tmp_path, suffix):
    _, places = painted(*[(9, 9, 9)] * 3)
    picture = Image.fromarray(places).convert("L")
    picture = Image.frombytes("P", picture.size, picture.tobytes())
    # Two classes share a colour, and the order of the colours is not that of the indices.
    picture.putpalette([0, 0, 0, 200, 0, 0, 0, 0, 90, 200, 0, 0])
    picture.save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(mask_of(tmp_path / f"a{suffix}").labels, places)


def test_a_palette_that_begins_with_another_colour_than_black_gets_a_note(tmp_path):
    _, places = painted((9, 9, 9), (9, 9, 9))
    for first, noted in ((0, False), (255, True)):
        picture = Image.frombytes("P", (10, 8), places.tobytes())
        picture.putpalette([first, first, first, 0, 0, 0, 90, 0, 0])
        picture.save(tmp_path / "a.png")
        mask = mask_of(tmp_path / "a.png")
        np.testing.assert_array_equal(mask.labels, places)
        assert [note.endswith("is shown as #ffffff, not black") for note in mask.notes] == [True] * noted


def test_few_bits_hold_labels_and_a_binary_mask_may_be_white(tmp_path):
    labels = np.arange(80, dtype=np.uint8).reshape(8, 10) % 16
    packed = (labels[:, ::2] << 4 | labels[:, 1::2]).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    (tmp_path / "a.png").write_bytes(png(10, 8, 4, 0, zlib.compress(rows)))
    np.testing.assert_array_equal(mask_of(tmp_path / "a.png").labels, labels)
    for name, picture in (
        ("b.png", Image.fromarray(labels > 7)),
        ("c.png", Image.fromarray((labels > 7) * np.uint8(255))),
    ):
        picture.save(tmp_path / name)
        np.testing.assert_array_equal(mask_of(tmp_path / name).labels, (labels > 7) * 255)


def test_a_photograph_is_no_mask(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (8, 64, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    with pytest.raises(LiteMedSamError, match="holds more than 255 colours, expected one per label; save the mask as"):
        mask_of(tmp_path / "a.png", Scan("scan", picture, False))


def test_colours_are_counted_through_a_whole_folder(tmp_path):
    first, places = painted((200, 0, 0))
    second, _ = painted((0, 0, 200))
    (tmp_path / "head").mkdir()
    for k, page in enumerate((first, second)):
        Image.fromarray(page).save(tmp_path / "head" / f"{k}.png")
    mask = FORMATS["slices"].read_mask(tmp_path / "head", Scan("scan", np.stack([PIXELS] * 2), True))
    np.testing.assert_array_equal(mask.labels, [places * 2, places])


def test_masks_with_noise_get_a_note(tmp_path):
    labels = np.zeros((40, 40), np.uint8)
    labels[5:30, 5:30] = 255
    scan = Scan("scan", labels, False)
    Image.fromarray(labels).save(tmp_path / "a.jpg", quality=60)
    (note,) = [n for n in mask_of(tmp_path / "a.jpg", scan).notes if "JPEG, whose" in n]
    assert note.endswith("keep masks as PNG")
    noisy = labels.copy()
    noisy[0, :20] = np.arange(1, 21)
    Image.fromarray(noisy).save(tmp_path / "b.png")
    (note,) = mask_of(tmp_path / "b.png", scan).notes
    assert "20 of 21 labels cover fewer than 10 voxels" in note
    (note,) = MaskBoxes(tmp_path / "b.png").objects(tmp_path / "scan.png", scan).notes
    assert "20 of 21 labels" in note
    Image.fromarray(labels).save(tmp_path / "c.png")
    assert mask_of(tmp_path / "c.png", scan).notes == ()


LABELS = (phantom(4, 5, 6) == 200).astype(np.uint8)
LABELS[0, :2, :1] = 3
AFFINE = np.array([[0.9, 0.1, 0, -90], [-0.1, 0.9, 0.2, 50], [0, 0, 2.5, 700], [0, 0, 0, 1.0]])


def nifti_mask(path, labels, affine):
    """The labels read back for the scan of `AFFINE`."""
    nibabel.Nifti1Image(labels.transpose(), affine).to_filename(path)
    scan = Scan("scan", np.zeros(LABELS.shape, np.uint8), True, Geometry(AFFINE))
    return format_of(path).read_mask(path, scan).labels


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flips", list(product((False, True), repeat=3)))
def test_the_same_grid_stored_otherwise_is_turned(tmp_path, order, flips):
    affine = AFFINE[:, [*order, 3]].copy()
    for k, flipped in enumerate(flips):
        if flipped:
            affine[:, 3] += affine[:, k] * (LABELS.shape[2 - order[k]] - 1)
            affine[:, k] *= -1
    labels = np.flip(
        LABELS.transpose([2 - order[2 - axis] for axis in range(3)]), [2 - k for k in range(3) if flips[k]]
    )
    np.testing.assert_array_equal(nifti_mask(tmp_path / "a.nii", labels, affine), LABELS)


@pytest.mark.parametrize(
    "change",
    [
        np.diag([2.0, 1, 1, 1]),
        np.diag([1, 1, 1.05, 1.0]),
        np.array([[1.0, 0, 0, 0.1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        np.array([[0, 1.0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        np.diag([-1.0, 1, 1, 1]),
    ],
)
def test_another_grid_is_refused(tmp_path, change):
    with pytest.raises(LiteMedSamError, match=r"mm away from the scan scan; its voxels are|voxels along x, y, z"):
        nifti_mask(tmp_path / "a.nii", LABELS, AFFINE @ change)


@pytest.mark.parametrize("size", [3e-4, 1.0, 50.0])
@pytest.mark.parametrize(("aside", "same"), [(0, True), (0.01, True), (0.2, False), (3, False)])
def test_places_are_compared_in_voxels(tmp_path, size, aside, same):
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = 10 * size
    scan = Scan("scan", np.zeros(LABELS.shape, np.uint8), True, Geometry(affine))
    moved = affine.copy()
    moved[1, 3] += aside * size
    nibabel.Nifti1Image(LABELS.transpose(), moved).to_filename(tmp_path / "a.nii")
    if same:
        np.testing.assert_array_equal(mask_of(tmp_path / "a.nii", scan).labels, LABELS)
    else:
        with pytest.raises(LiteMedSamError, match=f"lies {aside * size:.3g} mm away"):
            mask_of(tmp_path / "a.nii", scan)


def test_rounding_of_headers_is_no_other_grid(tmp_path):
    # 200 mm from the origin a 32-bit float rounds by up to 7.6 nm, of voxels of 0.1 µm.
    affine = np.diag([1e-4, 1e-4, 1e-4, 1.0])
    affine[:3, 3] = 200.1234567
    scan = Scan("scan", np.zeros(LABELS.shape, np.uint8), True, Geometry(affine))
    nibabel.Nifti1Image(LABELS.transpose(), affine).to_filename(tmp_path / "a.nii")
    np.testing.assert_array_equal(mask_of(tmp_path / "a.nii", scan).labels, LABELS)


def test_masks_of_npz_files_are_the_truth_before_the_result(tmp_path):
    np.savez(tmp_path / "a.npz", segs=np.ones((8, 10), np.uint8), gts=np.full((8, 10), 2, np.uint8))
    assert set(np.unique(FORMATS["npz"].read_mask(tmp_path / "a.npz", Scan("scan", PIXELS, False)).labels)) == {2}
