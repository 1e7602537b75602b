"""TIFFs whose pages are no slices of one volume."""

import numpy as np
import pytest
from litemedsam.engine.io.formats import format_of
from picture_files import tiff

from litemedsam import LiteMedSamError

PAGES = [np.full((8, 9), k, np.uint8) for k in range(12)]


def imagej(images=12, **counts):
    lines = ["ImageJ=1.53t", f"images={images}", *(f"{key}={count}" for key, count in counts.items())]
    return "\n".join([*lines, "hyperstack=true", "loop=false", ""])


def ome(channels, slices, frames):
    sizes = f'SizeX="9" SizeY="8" SizeC="{channels}" SizeZ="{slices}" SizeT="{frames}"'
    return f'<?xml version="1.0"?><OME xmlns="x"><Image><Pixels ID="P:0" {sizes} Type="uint8"/></Image></OME>'


def read(path, description, pages=PAGES, frame=None):
    path.write_bytes(tiff(pages, description=description))
    return format_of(path).read(path, frame)


@pytest.mark.parametrize(
    ("description", "held"),
    [
        (imagej(channels=3, slices=4), "3 channels, 4 slices"),
        (imagej(channels=3, frames=4), "3 channels, 4 time points"),
        (imagej(slices=3, frames=4), "3 slices, 4 time points"),
        (imagej(channels=12), "12 channels"),
        (ome(2, 6, 1), "2 channels, 6 slices"),
        (ome(1, 6, 2), "6 slices, 2 time points"),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_hyperstacks_are_refused_but_for_single_pages(tmp_path, description, held, dtype):
    pages = [page.astype(dtype) for page in PAGES]
    with pytest.raises(LiteMedSamError, match=f"a hyperstack of {held}; its 12 pages are not the slices") as error:
        read(tmp_path / "a.tif", description, pages)
    assert "choose a page with --frame" in str(error.value)
    assert (read(tmp_path / "a.tif", description, pages, frame=7).voxels == 7).all()


@pytest.mark.parametrize(
    "description",
    [
        imagej(slices=12),
        imagej(frames=12),
        imagej(),
        ome(1, 12, 1),
        "",
        "channels=3",
        "<OME",
        imagej(slices="x" * 5000),
    ],
)
def test_stacks_are_volumes(tmp_path, description):
    np.testing.assert_array_equal(read(tmp_path / "a.tif", description).voxels, PAGES)


def test_channels_may_be_colours_of_one_page(tmp_path):
    pages = [np.full((8, 9, 3), k, np.uint8) for k in range(4)]
    np.testing.assert_array_equal(read(tmp_path / "a.tif", ome(3, 4, 1), pages).voxels, pages)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_a_stack_behind_one_page_is_refused(tmp_path, dtype):
    with pytest.raises(LiteMedSamError, match="a stack of 12 images behind a single page"):
        read(tmp_path / "a.tif", imagej(slices=12), [PAGES[0].astype(dtype)])
