"""A session: what it says of itself, its states, and its end."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from litemedsam.server.refusal import CONFLICT, Refusal
from litemedsam.server.sessions.open_scan import OpenScan, Reading
from litemedsam.server.sessions.session import ScanSession, display_name
from server_client import IMAGE_BOX, VOLUME_BOX

from litemedsam import LiteMedSamError, Predictor


@pytest.fixture(scope="module")
def predictor(tiny_bundle):
    with Predictor(tiny_bundle, "onnxruntime", threads=1) as made:
        yield made


@pytest.fixture
def session(predictor, scans):
    """A function (name of a scan) to a session, ended afterwards."""
    made = []
    with ThreadPoolExecutor(1) as pool:

        def begin(name="slice.png", cleanup=None):
            opened = OpenScan.read(scans / name, name, Reading(), predictor)
            made.append(ScanSession(f"key-{name}", opened, pool, ("--seed", "7"), cleanup))
            return made[-1]

        yield begin
        for each in made:
            each.close()


def test_a_session_describes_its_scan_once(session):
    told = session("scan.nii.gz").description()
    assert (told["id"], told["name"], told["volume"], told["size"]) == (
        "key-scan.nii.gz",
        "scan.nii.gz",
        True,
        [48, 40, 5],
    )
    assert [plane["name"] for plane in told["planes"]] == ["axial", "coronal", "sagittal"]
    assert told["formats"][0] == "nifti"
    assert "--seed 7" in told["command"]


def test_a_state_has_the_figures_of_finished_masks(session):
    one = session("scan.nii.gz")
    key = one.add(list(VOLUME_BOX), "liver")
    assert one.wait(20)
    state = one.state()
    (drawn,) = state["objects"]
    assert (drawn["key"], drawn["number"], drawn["name"], drawn["pending"]) == (key, 1, "liver", False)
    assert drawn["voxels"] > 0
    assert drawn["ml"] == pytest.approx(drawn["voxels"] * 1.2 * 1.4 / 1000)
    assert (state["undo"], state["redo"], state["unsaved"]) == (1, 0, True)
    assert one.state()["serial"] > state["serial"]


def test_saving_counts_until_the_next_change(session):
    one = session()
    with pytest.raises(Refusal, match="there is nothing to save; draw a box first"):
        one.export("png")
    key = one.add(IMAGE_BOX)
    assert one.wait(20)
    assert one.export("png").content.startswith(b"\x89PNG")
    assert not one.unsaved
    one.change(key, name="other")
    assert one.unsaved
    one.remove(key)
    assert not one.unsaved
    with pytest.raises(LiteMedSamError, match="format 'gif', expected one of: png"):
        one.export("gif")


def test_steps_that_are_not_there_are_a_conflict(session):
    one = session()
    for back, word in ((True, "undo"), (False, "redo")):
        with pytest.raises(Refusal, match=f"there is nothing to {word}") as error:
            one.step(back)
        assert error.value.status == CONFLICT


def test_slices_that_are_not_there_are_refused(session):
    one = session("volume.npz")
    for call in (lambda k: one.slice_picture("xy", k, None, None), lambda k: one.mask_picture("xy", k, False)):
        assert call(4).startswith(b"\x89PNG")
        with pytest.raises(LiteMedSamError, match="slice 5, expected 0 to 4"):
            call(5)


def test_the_end_cleans_up_and_closes_the_streams(session):
    ended = []
    one = session(cleanup=lambda: ended.append("first"))
    one.at_the_end(lambda: ended.append("last"))
    one.close()
    assert ended == ["last"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a.nii.gz", "a.nii.gz"),
        ("../../etc/passwd", "passwd"),
        ("C:\\scans\\a.dcm", "a.dcm"),
        ("folder/", "folder"),
        ("<b>|a?.png", "ba.png"),
        ("a\0\n.png", "a.png"),
        ("", "scan"),
        (" .. ", "scan"),
        ("x" * 200 + ".nii", "x" * 96 + ".nii"),
    ],
)
def test_a_name_is_for_people_alone(given, shown):
    assert display_name(given) == shown
