"""What a session saves is what ``litemedsam-infer`` writes for its prompts, byte for byte."""

import json
from itertools import product

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from litemedsam.engine.cli.main import main
from server_client import IMAGE_BOX, VOLUME_BOX
from synthetic_scans import phantom, stored, world

from litemedsam import Predictor, segment

VOLUMES = ("scan.nii.gz", "series", "volume.npz", "pages.tif")
IMAGES = ("slice.png", "flat.npz")
OTHER_BOX = [20, 2, 0, 40, 25, 2]


def inferred(bundle, path, boxes, form, folder):
    """The bytes of `litemedsam-infer`."""
    given = [path, "--boxes", boxes, "--format", form, "-o", folder, "--model", bundle, "--threads", 1]
    run = CliRunner().invoke(main, [str(argument) for argument in given])
    assert run.exit_code == 0, run.output
    (result,) = folder.iterdir()
    return result.read_bytes()


@pytest.mark.parametrize("name", [*VOLUMES, *IMAGES])
def test_every_format_has_the_same_bytes_as_the_command(client, tiny_bundle, scans, tmp_path, name):
    session = client.opened(name)
    flat = [lambda box: [*box[:2], *box[3:5]], list][len(session["size"]) == 3]
    client.drawn(session["id"], flat(VOLUME_BOX), name="liver")
    client.drawn(session["id"], flat(OTHER_BOX))
    points = [[25, 12, 1][: len(session["size"])], [30, 20, 1][: len(session["size"])]]
    assert client.patch(f"/api/sessions/{session['id']}/objects/2", json={"points": points}).status_code == 200
    client.settled(session["id"])
    boxes = tmp_path / "boxes.json"
    boxes.write_bytes(client.exported(session["id"], "prompts"))
    assert [entry.get("name") for entry in json.loads(boxes.read_text())["objects"]] == ["liver", None]
    forms = [form for form in session["formats"] if form != "prompts"]
    assert len(forms) >= 4
    for form in forms:
        expected = inferred(tiny_bundle, scans / name, boxes, form, tmp_path / form)
        assert client.exported(session["id"], form) == expected, form


def test_the_scan_s_own_format_comes_first_and_only_what_can_hold_it(client):
    assert client.opened("scan.nii.gz")["formats"][0] == "nifti"
    series = client.opened("series")["formats"]
    assert series[0] == "dicom"
    assert "png" not in series
    assert "dicom" not in client.opened("slice.png")["formats"]
    assert client.opened("slice.png")["formats"][0] == "png"


@pytest.fixture(scope="module")
def reference(tiny_bundle, scans):
    """Places of the mask of the box in millimetres, from Python's door to the engine."""
    with Predictor(tiny_bundle, threads=1) as predictor:
        result = segment(scans / "scan.nii.gz", [VOLUME_BOX], predictor=predictor)
    z, y, x = np.nonzero(result.labels)
    assert len(x) > 500
    assert z.min() >= 1
    assert z.max() <= 3
    assert y.min() >= 13
    assert y.max() <= 30
    assert x.min() >= 9
    assert x.max() <= 29
    return world(result.labels == 1, result.affine)


@pytest.mark.parametrize("flips", list(product([False, True], repeat=3)))
def test_a_drawn_box_lies_in_the_same_place_however_the_file_is_turned(client, tmp_path, reference, flips):
    """The mask's voxels are, in millimetres, those of the file that stores its axes as the model sees them."""
    scan = stored(phantom(), (0, 1, 2), flips)
    path = tmp_path / "scan.nii.gz"
    nibabel.Nifti1Image(scan.voxels.transpose(), scan.ras).to_filename(path)
    opened = client.post("/api/sessions", json={"upload": client.uploaded(path)}).json()
    state = client.drawn(opened["id"], VOLUME_BOX)
    (tmp_path / "mask.nii.gz").write_bytes(client.exported(opened["id"], "nifti"))
    saved = nibabel.load(tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(saved.affine, nibabel.load(path).affine)
    mask = np.asarray(saved.dataobj).transpose()
    np.testing.assert_array_equal(world(mask == 1, scan.ras), reference)
    assert state["objects"][0]["voxels"] == len(reference)
    assert state["objects"][0]["ml"] == pytest.approx(len(reference) * 1.2 * 1.4 / 1000)


def test_points_go_with_the_box_that_holds_them(client):
    session = client.opened("scan.nii.gz")["id"]
    path = f"/api/sessions/{session}/objects/1"
    client.drawn(session, VOLUME_BOX)
    plain = client.exported(session, "npz")
    state = client.patch(path, json={"points": [[12, 15, 2], [20, 20, 3]]}).json()
    assert state["objects"][0]["points"] == [[12, 15, 2], [20, 20, 3]]
    client.settled(session)
    assert client.exported(session, "npz") != plain
    state = client.patch(path, json={"box": [9, 13, 1, 29, 30, 2]}).json()
    assert state["objects"][0]["points"] == [[12, 15, 2]]
    for points in (
        [[0, 0, 0]],
        [[12, 15, 3]],
        [[12, 15]],
        [[12, 15, 2]] * 5,
        [[12, 15, 99]],
        "points",
        [[12.5, 15, 2]],
    ):
        assert client.patch(path, json={"points": points}).status_code == 400
    assert client.patch(path, json={"points": []}).json()["objects"][0]["points"] == []


def test_names_of_results_never_are_the_scan_s(client):
    session = client.opened("scan.nii.gz")["id"]
    client.drawn(session, VOLUME_BOX)
    answer = client.post(f"/api/sessions/{session}/export", json={"format": "nifti"})
    assert answer.headers["content-disposition"].startswith('attachment; filename="scan.mask.nii.gz"')


def test_the_command_line_that_is_shown_repeats_the_session(client, tiny_bundle):
    opened = client.opened("scan.nii.gz", window="20,300")
    expected = f"litemedsam-infer scan.nii.gz --boxes scan.boxes.json --window 20,300 --model {tiny_bundle}"
    assert opened["command"] == expected


def test_a_picture_s_box_of_one_pixel_is_saved(client):
    session = client.opened("slice.png")["id"]
    client.drawn(session, [0, 0, 0, 0])
    client.drawn(session, IMAGE_BOX)
    client.drawn(session, [47, 39, 47, 39])
    assert client.exported(session, "png").startswith(b"\x89PNG")
