"""The page in a real Chromium: a user opens, scrolls, draws, sees, undoes, names, deletes and saves."""

import json
import re
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from browser import CHROMIUM, DRIVER, Browser
from click.testing import CliRunner
from litemedsam.engine.cli.main import main
from PIL import Image
from selenium.webdriver.common.keys import Keys
from synthetic_scans import phantom, stored, world

from litemedsam import Predictor, segment
from litemedsam.overlap import dice

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="there is no Chromium: apt-get install chromium chromium-driver"
)

BIN = Path(sys.executable).parent
VOLUME = phantom()
# Width, height and size of a pixel in mm of each plane.
PLANES = {"axial": (48, 40, 1.2, 1.0), "coronal": (48, 5, 1.2, 1.4), "sagittal": (40, 5, 1.0, 1.4)}
IMAGE = {"image": (48, 40, 1, 1)}
# From the middle of the first pixel to the middle of the last: the box 9, 13 to 29, 30.
START, END = (9.5, 13.5), (29.5, 30.5)


@pytest.fixture(scope="module")
def address(scans, tiny_bundle, tmp_path_factory):
    """The page of a server in a process of its own, over scans of every kind and every turn."""
    folder = tmp_path_factory.mktemp("served")
    for number, flips in enumerate(product([False, True], repeat=3)):
        scan = stored(VOLUME, (0, 1, 2), flips)
        nibabel.Nifti1Image(scan.voxels.transpose(), scan.ras).to_filename(folder / f"turned-{number}.nii.gz")
    command = [BIN / "litemedsam-serve", scans, folder, "--port", 0, "--no-browser", "--model", tiny_bundle]
    with subprocess.Popen(
        [*map(str, command), "--threads", "1", "--max-sessions", "100"], stdout=subprocess.PIPE, text=True
    ) as server:
        yield re.search(r"http://\S+", server.stdout.readline())[0]
        server.terminate()
        assert server.wait(20) == 0


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    """One browser for the whole file."""
    browser = Browser(tmp_path_factory.mktemp("downloads"))
    yield browser
    browser.close()


@pytest.fixture
def page(window, address):
    """The page as it is first seen; at the end the console must be free of errors."""
    window.open("about:blank")
    window.open(address)
    yield window
    assert window.complaints() == []


@pytest.fixture
def inferred(tiny_bundle, tmp_path):
    """A function (scan, prompts) to the bytes that `litemedsam-infer` writes."""

    def infer(scan, boxes):
        given = [scan, "--boxes", boxes, "-o", tmp_path / "inferred", "--model", tiny_bundle, "--threads", 1]
        run = CliRunner().invoke(main, [str(argument) for argument in given])
        assert run.exit_code == 0, run.output
        (result,) = (tmp_path / "inferred").iterdir()
        return result.read_bytes()

    return infer


def objects(page, names):
    """Wait until the list shows objects of these names, all with masks; their figures."""
    code = "return [...document.querySelectorAll('#objects .name')].map((each) => each.value)"
    page.until(lambda: page.script(code) == names, f"{names}")
    return page.settled(len(names))


def scroll(page, by, number):
    """Turn the wheel over the axial view, and wait for the slice of a number."""
    page.scroll("axial", by)
    page.until(lambda: page.find('[data-plane="axial"] .title').text == f"axial {number} / 5", f"slice {number}")
    page.loaded()


def is_grey(colour):
    return max(colour) - min(colour) < 12


def course(page, plane, inside, outside):
    """Draw, see, undo, redo, name, draw another, delete it."""
    assert is_grey(page.pixel(plane, *inside))
    page.drag(plane, START, END)
    objects(page, [""])
    page.until(lambda: not is_grey(page.pixel(plane, *inside)), "the mask on screen")
    assert is_grey(page.pixel(plane, *outside))
    page.keys(Keys.CONTROL, "z")
    objects(page, [])
    page.until(lambda: is_grey(page.pixel(plane, *inside)), "no mask after undo")
    page.find("#redo").click()
    objects(page, [""])
    page.until(lambda: not is_grey(page.pixel(plane, *inside)), "the mask after redo")
    page.keys("r")
    page.keys("liver" + Keys.ENTER)
    objects(page, ["liver"])
    page.drag(plane, (35.5, 3.5), (45.5, 12.5))
    objects(page, ["liver", ""])
    page.find("#objects li:last-child .remove").click()
    objects(page, ["liver"])


def drawn_prompts(page):
    path = page.save("prompts")
    (drawn,) = json.loads(path.read_text())["objects"]
    assert drawn["name"] == "liver"
    return path, drawn["box"]


def test_a_nifti_volume_from_opening_to_saving(page, scans, inferred):
    page.choose("scan.nii.gz", PLANES)
    assert page.find('[data-plane="axial"] .title').text == "axial 3 / 5"
    scroll(page, 1, 4)
    scroll(page, -1, 3)
    course(page, "axial", (15.5, 25.5), (40.5, 35.5))
    (figures,) = page.settled(1)
    assert "slice 3" in figures
    assert " ml" in figures
    # The range of slices, by dragging in another view: rows of the coronal view run from slice 5 to slice 1.
    page.drag("coronal", (40.5, 1.5), (40.5, 3.5))
    page.until(lambda: "slices 2–4" in page.settled(1)[0], "the range")
    prompts, box = drawn_prompts(page)
    assert box == [9, 13, 1, 29, 30, 3]
    saved = page.save("nifti")
    assert saved.name == "scan.mask.nii.gz"
    assert saved.read_bytes() == inferred(scans / "scan.nii.gz", prompts)
    mask, scan = nibabel.load(saved), nibabel.load(scans / "scan.nii.gz")
    np.testing.assert_array_equal(mask.affine, scan.affine)
    found = np.argwhere(np.asarray(mask.dataobj).transpose() == 1)
    assert mask.shape == scan.shape
    assert (found.min(axis=0) >= [1, 13, 9]).all()
    assert (found.max(axis=0) <= [3, 30, 29]).all()
    assert len(found) > 500


def test_a_dicom_series_from_opening_to_saving(page, scans, inferred):
    page.choose("series", PLANES)
    course(page, "axial", (15.5, 25.5), (40.5, 35.5))
    scroll(page, -1, 2)
    page.keys("[")
    page.until(lambda: "slices 2–3" in page.settled(1)[0], "the first slice")
    scroll(page, 2, 4)
    page.keys("]")
    page.until(lambda: "slices 2–4" in page.settled(1)[0], "the last slice")
    prompts, box = drawn_prompts(page)
    assert box == [9, 13, 1, 29, 30, 3]
    saved = page.save("dicom")
    assert saved.read_bytes() == inferred(scans / "series", prompts)
    segmentation = pydicom.dcmread(saved)
    assert segmentation.SegmentSequence[0].SegmentLabel == "liver"
    images = {image.SOPInstanceUID: image for image in map(pydicom.dcmread, (scans / "series").iterdir())}
    places = {tuple(map(float, image.ImagePositionPatient)) for image in images.values()}
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        assert tuple(map(float, frame.PlanePositionSequence[0].ImagePositionPatient)) in places
    pixels = segmentation.pixel_array
    assert pixels.shape == (3, 40, 48)
    rows, columns = np.nonzero(pixels.any(axis=0))
    assert rows.min() >= 13
    assert rows.max() <= 30
    assert columns.min() >= 9
    assert columns.max() <= 29


def test_a_picture_from_opening_to_saving(page, scans, inferred):
    page.choose("slice.png", IMAGE)
    course(page, "image", (15.5, 25.5), (40.5, 35.5))
    prompts, box = drawn_prompts(page)
    assert box == [9, 13, 29, 30]
    saved = page.save("png")
    assert saved.read_bytes() == inferred(scans / "slice.png", prompts)
    mask = np.asarray(Image.open(saved))
    assert mask.shape == (40, 48)
    inside = np.zeros(mask.shape, bool)
    inside[13:31, 9:30] = True
    assert not mask[~inside].any()
    assert dice(mask == 1, inside & (VOLUME[2] == 200)) > 0.95


def test_a_box_on_screen_is_the_same_place_however_the_file_is_turned(page, scans, tiny_bundle):
    """All eight turns: the mask of the box, in millimetres."""
    found = []
    for number in range(8):
        if number:
            page.find("#open").click()
        page.choose(f"turned-{number}.nii.gz", PLANES)
        page.drag("axial", START, END)
        objects(page, [""])
        saved = nibabel.load(page.save("nifti"))
        affine = np.diag([-1, -1, 1, 1]) @ saved.affine
        found.append(world(np.asarray(saved.dataobj).transpose() == 1, affine))
    with Predictor(tiny_bundle, threads=1) as predictor:
        result = segment(scans / "scan.nii.gz", [[9, 13, 2, 29, 30, 2]], predictor=predictor)
    expected = world(result.labels == 1, np.diag([-1, -1, 1, 1]) @ result.affine)
    assert len(expected) > 200
    for places in found:
        np.testing.assert_array_equal(places, expected)


def test_a_box_can_be_moved_and_resized(page):
    page.choose("slice.png", IMAGE)
    page.drag("image", START, END)
    objects(page, [""])
    page.drag("image", (30, 31), (34, 35))
    page.until(lambda: boxes(page) == [[9, 13, 33, 34]], "the corner")
    page.drag("image", (9, 18), (4, 16))
    page.until(lambda: boxes(page) == [[4, 11, 28, 32]], "the whole box")
    page.drag("image", (4, 22), (8, 22))
    page.until(lambda: boxes(page) == [[8, 11, 28, 32]], "the left edge")


def test_points_are_set_and_removed_at_the_crosshair(page, scans, inferred):
    page.choose("slice.png", IMAGE)
    page.drag("image", START, END)
    objects(page, [""])
    page.keys("t")
    objects(page, [""])
    prompts = page.save("prompts")
    assert json.loads(prompts.read_text())["objects"] == [{"box": [9, 13, 29, 30], "points": [[24, 20]]}]
    assert page.save("png").read_bytes() == inferred(scans / "slice.png", prompts)
    page.keys("?")
    page.until(lambda: "set or remove a point" in page.find("#keys").get_attribute("textContent"), "the help")
    page.keys(Keys.ESCAPE)
    page.keys("t")
    page.until(lambda: "points" not in json.loads(page.save("prompts").read_text())["objects"][0], "no point")


def boxes(page):
    """The boxes of the page's session, from the server."""
    return page.script(
        "const id = location.hash.slice(9), request = new XMLHttpRequest();"
        "request.open('GET', `/api/sessions/${id}/state`, false); request.send();"
        "return JSON.parse(request.responseText).objects.map((each) => each.box)"
    )


def test_the_keyboard_alone_does_it_all(page):
    page.planes = PLANES
    page.until(lambda: page.all("#files button"), "the list of files")
    page.keys("scan.nii")
    code = "return [...document.querySelectorAll('#files button')].map((each) => each.textContent)"
    page.until(lambda: page.script(code) == ["scan.nii.gz"], "the filter")
    page.keys(Keys.TAB)
    page.keys(Keys.ENTER)
    page.until(lambda: len(page.all(".view")) == 3, "the views")
    page.loaded()
    page.keys("b")
    objects(page, [""])
    assert boxes(page) == [[18, 15, 2, 30, 25, 2]]
    page.keys(Keys.ALT, Keys.ARROW_RIGHT)
    page.until(lambda: boxes(page) == [[19, 15, 2, 31, 25, 2]], "moved")
    page.keys(Keys.SHIFT, Keys.ARROW_DOWN)
    page.until(lambda: boxes(page) == [[19, 15, 2, 31, 26, 2]], "resized")
    page.keys(Keys.PAGE_UP)
    page.until(lambda: page.find('[data-plane="axial"] .title').text == "axial 4 / 5", "the next slice")
    page.keys("]")
    page.until(lambda: boxes(page) == [[19, 15, 2, 31, 26, 3]], "the last slice")
    page.keys("v")
    page.until(lambda: page.find("#objects .eye").get_attribute("aria-pressed") == "false", "hidden")
    page.keys("b")
    objects(page, ["", ""])
    page.keys("p")
    page.until(lambda: page.find("#objects li").get_attribute("aria-current") == "true", "the first is chosen")
    page.keys(Keys.DELETE)
    objects(page, [""])
    for _ in range(6):
        page.keys(Keys.CONTROL, "z")
    page.until(lambda: boxes(page) == [[18, 15, 2, 30, 25, 2]], "undone")
    page.keys(Keys.CONTROL, "y")
    page.until(lambda: boxes(page) == [[19, 15, 2, 31, 25, 2]], "redone")
    page.keys("?")
    assert "undo, redo" in page.find("#keys").text
    page.keys(Keys.ESCAPE)
    page.keys("o")
    assert page.find("#outline").is_selected()


@pytest.fixture
def correcting(window, scans, correctable_bundle):
    """The page of a server whose model takes corrections."""
    command = [BIN / "litemedsam-serve", scans, "--port", 0, "--no-browser", "--model", correctable_bundle]
    with subprocess.Popen([*map(str, command), "--threads", "1"], stdout=subprocess.PIPE, text=True) as server:
        window.open("about:blank")
        window.open(re.search(r"http://\S+", server.stdout.readline())[0])
        yield window
        assert window.complaints() == []
        window.open("about:blank")
        server.terminate()
        assert server.wait(20) == 0


def test_clicks_correct_the_mask_and_can_be_undone(correcting, scans, correctable_bundle, tmp_path):
    page = correcting
    page.choose("slice.png", IMAGE)
    page.drag("image", START, END)
    objects(page, [""])

    def corrections():
        path = page.save("prompts")
        found = json.loads(path.read_text())["objects"][0].get("corrections", [])
        path.rename(tmp_path / "prompts.json")
        return found

    page.keys("t")
    page.settled(1)
    for _ in range(4):
        page.keys(Keys.ARROW_RIGHT)
    page.keys(Keys.SHIFT, "t")
    page.settled(1)
    page.until(lambda: [[*made] for made in corrections()] == [["add"], ["remove"]], "both clicks")
    (added,), (removed,) = (next(iter(made.values())) for made in corrections())
    assert removed == [added[0] + 4, added[1]]
    saved = page.save("png")
    mask = np.asarray(Image.open(saved))
    assert mask[added[1], added[0]] == 1
    assert mask[removed[1], removed[0]] == 0
    given = [scans / "slice.png", "--boxes", tmp_path / "prompts.json", "-o", tmp_path / "inferred"]
    run = CliRunner().invoke(main, [*map(str, given), "--model", str(correctable_bundle), "--threads", "1"])
    assert run.exit_code == 0, run.output
    (result,) = (tmp_path / "inferred").iterdir()
    assert saved.read_bytes() == result.read_bytes()
    page.keys("?")
    assert "remove what does not belong to it" in page.find("#keys").text
    page.keys(Keys.ESCAPE)
    page.keys(Keys.CONTROL, "z")
    page.settled(1)
    page.until(lambda: [[*made] for made in corrections()] == [["add"]], "undone")


def test_a_stroke_corrects_the_mask(correcting, scans, correctable_bundle, tmp_path):
    page = correcting
    page.choose("slice.png", IMAGE)
    page.drag("image", START, END)
    (before,) = page.settled(1)
    page.drag("image", (14.5, 18.5), (24.5, 18.5), Keys.ALT)
    page.settled(1)
    # Beside the line that is drawn, within the stroke's three pixels.
    page.until(lambda: not is_grey(page.pixel("image", 19.5, 19.3)), "what the stroke adds on screen")
    # Pictures of the masks are kept; the one from before must not come back.
    time.sleep(0.6)
    assert not is_grey(page.pixel("image", 19.5, 19.3))
    page.drag("image", (14.5, 25.5), (24.5, 25.5), Keys.ALT, Keys.SHIFT)
    page.settled(1)
    page.until(lambda: is_grey(page.pixel("image", 19.5, 26.3)), "what the stroke removes gone from the screen")
    time.sleep(0.6)
    assert is_grey(page.pixel("image", 19.5, 26.3))
    saved, prompts = page.save("png"), page.save("prompts")
    made = json.loads(prompts.read_text())["objects"][0]["corrections"]
    assert [[*each] for each in made] == [["add_strokes"], ["remove_strokes"]]
    (added,), (removed,) = made[0]["add_strokes"], made[1]["remove_strokes"]
    assert (added[0], added[-1]) == ([14, 18], [24, 18])
    assert {y for x, y in removed} == {25}
    given = [scans / "slice.png", "--boxes", prompts, "-o", tmp_path / "inferred"]
    run = CliRunner().invoke(main, [*map(str, given), "--model", str(correctable_bundle), "--threads", "1"])
    assert run.exit_code == 0, run.output
    (result,) = (tmp_path / "inferred").iterdir()
    assert saved.read_bytes() == result.read_bytes()
    page.keys(Keys.CONTROL, "z")
    page.keys(Keys.CONTROL, "z")
    page.until(lambda: page.settled(1) == [before], "undone")


def test_the_slices_of_an_object_are_found(page):
    page.choose("scan.nii.gz", PLANES)
    page.drag("axial", START, END)
    objects(page, [""])
    assert boxes(page) == [[9, 13, 2, 29, 30, 2]]
    page.find("#extend").click()
    page.settled(1)
    page.until(lambda: page.find("#undo").is_enabled() and not page.find("#busy").is_displayed(), "the search's end")
    ((x_min, y_min, first, x_max, y_max, last),) = boxes(page)
    assert [x_min, y_min, x_max, y_max] == [9, 13, 29, 30]
    assert first <= 2 <= last
    if first != last:
        page.keys(Keys.CONTROL, "z")
        page.until(lambda: boxes(page) == [[9, 13, 2, 29, 30, 2]], "undone")
    page.keys("x")
    page.until(lambda: boxes(page) == [[9, 13, first, 29, 30, last]], "found again by the keyboard")


def test_a_box_is_drawn_over_the_edge_of_another_one(page):
    page.choose("slice.png", IMAGE)
    page.drag("image", START, END)
    objects(page, [""])
    page.drag("image", (9.7, 20.5), (20.5, 28.5), Keys.CONTROL)
    objects(page, ["", ""])
    assert boxes(page)[0] == [9, 13, 29, 30]
    assert boxes(page)[1] == [9, 20, 20, 28]


def test_a_reload_finds_the_session_and_leaving_asks(page):
    page.choose("slice.png", IMAGE)
    asks = """const event = new Event("beforeunload", {cancelable: true}); window.dispatchEvent(event);
        return event.defaultPrevented"""
    assert not page.script(asks)
    page.drag("image", START, END)
    objects(page, [""])
    assert page.script(asks)
    assert page.driver.title.startswith("•")
    page.save("png")
    page.until(lambda: not page.script(asks), "saved")
    assert "token" not in page.driver.current_url
    page.driver.refresh()
    page.until(lambda: page.all(".view"), "the view after a reload")
    page.loaded()
    objects(page, [""])
    page.keys(Keys.CONTROL, "z")
    objects(page, [])


def test_files_are_uploaded(page, scans):
    page.planes = PLANES
    page.until(lambda: page.find("#open-dialog").is_displayed(), "the dialog")
    page.find("#choose-files").send_keys("\n".join(str(path) for path in sorted((scans / "series").iterdir())))
    page.until(lambda: len(page.all(".view")) == 3, "the views")
    page.loaded()
    # Levels of 0..255 in a CT: air lies below the window's lower edge.
    assert "HU" in page.until(lambda: page.find("#position").text, "the value")
    page.find("#windows button:nth-child(5)").click()
    page.until(lambda: page.find("#windows button:nth-child(5)").get_attribute("aria-pressed") == "true", "the window")


def test_a_file_that_cannot_be_read_is_explained(page, scans):
    page.until(lambda: page.find("#open-dialog").is_displayed(), "the dialog")
    page.find("#choose-files").send_keys(str(scans / "boxes.json"))
    page.until(lambda: page.find("#message").is_displayed(), "the message")
    assert page.find("#message-text").text.startswith("boxes.json: a file of unknown kind; expected npz, NIfTI")
    (refused,) = page.complaints()
    assert "400" in refused


def test_two_windows_show_the_same_session(page, tmp_path, address):
    page.choose("slice.png", IMAGE)
    other = Browser(tmp_path, dark=True)
    try:
        other.planes = IMAGE
        other.open(address)
        other.open(page.driver.current_url)
        other.driver.refresh()
        other.until(lambda: other.all(".view"), "the view")
        page.drag("image", START, END)
        objects(page, [""])
        objects(other, [""])
        assert other.complaints() == []
    finally:
        other.close()


def test_every_control_has_a_name_for_a_screen_reader(page):
    page.choose("scan.nii.gz", PLANES)
    page.drag("axial", START, END)
    objects(page, [""])
    code = """const all = document.querySelectorAll("button, input, select, dialog, section, [role=group]");
        return [...all].filter((each) => {
        const name = each.getAttribute("aria-label") || each.getAttribute("aria-labelledby") || each.textContent.trim()
            || each.labels?.[0]?.textContent.trim() || each.title;
        return !name;
    }).map((each) => each.outerHTML)"""
    assert page.script(code) == []
    assert all(view.get_attribute("aria-label") for view in page.all(".view"))


def test_open_scans_are_listed_shown_and_closed(page):
    page.choose("slice.png", IMAGE)
    page.drag("image", START, END)
    objects(page, [""])
    page.find("#open").click()
    page.choose("scan.nii.gz", PLANES)
    here = page.driver.current_url
    page.find("#open").click()
    code = """const all = [...document.querySelectorAll("#running-list li")];
        const found = all.filter((each) => each.textContent.startsWith(arguments[0])).at(-1);
        found?.querySelector(`[aria-label="${arguments[1]} ${arguments[0]}"]`).click(); return Boolean(found)"""
    page.until(lambda: page.script(code, "slice.png", "Show"), "the picture in the list")
    page.until(lambda: page.find("#scan-name").text == "slice.png", "the picture")
    objects(page, [""])
    assert page.driver.current_url != here
    page.keys(Keys.CONTROL, "z")
    objects(page, [])
    page.find("#open").click()
    page.until(lambda: page.script(code, "slice.png", "Close"), "the picture in the list")
    page.until(lambda: page.find("#welcome").is_displayed(), "no scan")
    page.find("#open-close").click()
    assert not page.all(".view")
    assert page.find("#save").get_attribute("disabled")
