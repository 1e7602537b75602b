"""3D Slicer's calls and CVAT's, made by the clients that MONAI Label publishes, unmodified, on a server of its own."""

import importlib.util
import re
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
import SimpleITK
from PIL import Image
from server_client import TOKEN
from synthetic_scans import oblique, phantom, stored

from litemedsam import Predictor, segment

WHEEL = "monailabel==0.8.5"
CLIENTS = {"slicer": "plugins/slicer/MONAILabel/MONAILabelLib/client.py", "python": "monailabel/client/client.py"}
VOLUME = phantom()
# Inclusive, along the axes of a file in the order left, posterior, superior.
BOX = [9, 13, 1, 29, 30, 3]


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """The modules of both clients from the published wheel."""
    if importlib.util.find_spec("cgi") is None:
        pytest.skip("MONAI Label's clients need the module cgi of Python 3.12 and older")
    folder = tmp_path_factory.mktemp("monailabel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--only-binary",
        ":all:",
        WHEEL,
        "-d",
        folder,
    ]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip(f"{WHEEL} cannot be fetched")
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        found = {}
        for name, ending in CLIENTS.items():
            (inside,) = (entry for entry in wheel.namelist() if entry.endswith(ending))
            spec = importlib.util.spec_from_file_location(f"monai_{name}", wheel.extract(inside, folder))
            found[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(found[name])
    return SimpleNamespace(**found)


@contextmanager
def served(bundle):
    """The address of a server in a process of its own."""
    command = [Path(sys.executable).parent / "litemedsam-serve", "--port", 0, "--no-browser", "--token", TOKEN]
    command += ["--model", bundle, "--max-sessions", 3, "--threads", 1, "--max-upload", "1MB"]
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True) as server:
        yield re.search(r"http://[^?]+", server.stdout.readline())[0]
        server.terminate()


@pytest.fixture(scope="module")
def address(tiny_bundle):
    """The address of a server whose model takes points."""
    with served(tiny_bundle) as found:
        yield found


@pytest.fixture
def slicer(published, address, tmp_path):
    """Slicer's client, after its login."""
    return logged_in(published, address, tmp_path)


def logged_in(published, address, folder):
    client = published.slicer.MONAILabelClient(address, str(folder), "user-xyz")
    assert client.auth_enabled()
    client.update_auth(client.auth_token("anyone", TOKEN))
    assert client.auth_valid_token()
    return client


def parameters(roi, **others):
    """What the plugin sends, beside its client_id."""
    clicks = {"label": "object", "foreground": [], "background": []}
    return {**clicks, "roi": roi, "result_extension": ".nrrd", "result_dtype": "uint8", **others}


def scans():
    """The phantom in all eight turns, and tilted."""
    for flips in product([False, True], repeat=3):
        yield stored(VOLUME, (0, 1, 2), flips)
    yield stored(VOLUME, (2, 0, 1), (True, False, True))
    yield oblique(VOLUME)


def written(folder, scan, suffix=".nii.gz"):
    path = folder / f"volume{suffix}"
    if suffix == ".nii.gz":
        nibabel.Nifti1Image(scan.voxels.transpose(), scan.ras).to_filename(path)
    else:
        image = SimpleITK.GetImageFromArray(scan.voxels)
        image.SetSpacing(np.linalg.norm(scan.affine[:3, :3], axis=0).tolist())
        image.SetDirection((scan.affine[:3, :3] / np.linalg.norm(scan.affine[:3, :3], axis=0)).ravel().tolist())
        image.SetOrigin(scan.affine[:3, 3].tolist())
        SimpleITK.WriteImage(image, str(path), useCompression=True)
    return path


def pairs(box):
    return [box[0], box[3], box[1], box[4], box[2], box[5]]


def test_the_panel_shows_one_model_that_takes_boxes(slicer):
    info = slicer.info()
    assert info["labels"] == ["object"]
    assert "config" not in info
    (model,) = info["models"].values()
    assert (model["type"], model["dimension"]) == ("deepgrow", 3)
    assert "Not a medical device" in model["description"]
    assert not info["trainers"]
    assert not info["strategies"]
    assert not slicer.train_status(check_if_running=True)


@pytest.mark.parametrize("number", range(10))
def test_a_box_becomes_a_mask_on_the_volume_s_own_grid(slicer, tiny_bundle, tmp_path, number):
    scan = list(scans())[number]
    path = written(tmp_path, scan)
    # In any turn, the middle of the volume's own axes; each pair the wrong way round, as the plugin sends it.
    size = np.array(scan.voxels.shape[::-1])
    box = [*(size // 5).tolist(), *(size * 4 // 5).tolist()]
    session = slicer.create_session(str(path))["session_id"]
    assert slicer.get_session(session)
    roi = [box[3], box[0], box[4], box[1], box[2], box[5]]
    result, answer = slicer.infer("litemedsam", "volume", parameters(roi), session_id=session)
    assert answer["label_names"] == {"object": 1}
    mask, image = SimpleITK.ReadImage(result), SimpleITK.ReadImage(str(path))
    assert mask.GetSize() == image.GetSize()
    for what in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(getattr(mask, what)(), getattr(image, what)(), atol=1e-5)
    with Predictor(tiny_bundle, threads=1) as predictor:
        expected = segment(path, [box], predictor=predictor).labels
    assert mask.GetPixelID() == SimpleITK.sitkUInt8
    assert expected.any()
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(mask), expected)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_volumes_come_in_slicer_s_other_formats(slicer, tmp_path, suffix):
    path = written(tmp_path, stored(VOLUME, (0, 1, 2), (False,) * 3), suffix)
    session = slicer.create_session(str(path))["session_id"]
    result, _ = slicer.infer("litemedsam", "volume", parameters(pairs(BOX)), session_id=session)
    found = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(result))
    assert found.any()
    found[1:4, 13:31, 9:30] = 0
    assert not found.any()


def test_an_image_of_the_datastore_and_other_formats_of_results(slicer, tmp_path):
    path = written(tmp_path, stored(VOLUME, (0, 1, 2), (False,) * 3))
    assert slicer.upload_image(str(path), "knee/../1") == {"image": "knee/../1"}
    given = parameters(pairs(BOX), result_extension=".nii.gz")
    result, _ = slicer.infer("litemedsam", "knee/../1", given)
    assert nibabel.load(result).shape == VOLUME.shape[::-1]


def test_clicks_on_the_object_are_taken_and_others_refused(slicer, published, tmp_path):
    session = slicer.create_session(str(written(tmp_path, stored(VOLUME, (0, 1, 2), (False,) * 3))))["session_id"]

    def infer(**given):
        return slicer.infer("litemedsam", "volume", parameters(**{"roi": pairs(BOX), **given}), session_id=session)

    plain, _ = infer()
    clicked, _ = infer(foreground=[[19, 22, 2]])
    both = [SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path)) for path in (plain, clicked)]
    assert both[1].any()
    for given, words in (
        ({"roi": None}, "place the ROI box"),
        ({"background": [[1, 1, 1]]}, "no background clicks"),
        ({"roi": [100, 200, 1, 2, 1, 2]}, "outside the scan"),
        ({"roi": [0, 5, 0, 5]}, "expected 6 numbers"),
        ({"foreground": [[500, 0, 0]]}, "click lies outside"),
        ({"foreground": [[19, 22, 4]]}, "which its box leaves out"),
        ({"result_extension": ".exe"}, "expected one of"),
    ):
        with pytest.raises(published.slicer.MONAILabelClientException, match=words):
            infer(**given)


def test_clicks_correct_the_mask_where_the_model_takes_corrections(published, correctable_bundle, tmp_path):
    with served(correctable_bundle) as address:
        slicer = logged_in(published, address, tmp_path)
        scan = str(written(tmp_path, stored(VOLUME, (0, 1, 2), (False,) * 3)))
        session = slicer.create_session(scan)["session_id"]

        def infer(**given):
            asked = parameters(**{"roi": pairs(BOX), **given})
            path, _ = slicer.infer("litemedsam", "volume", asked, session_id=session)
            return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))

        for place in ([19, 22, 2], [12, 16, 3]):
            x, y, z = place
            assert infer(foreground=[place])[z, y, x] == 1
            assert infer(background=[place])[z, y, x] == 0
        both = infer(foreground=[[19, 22, 2]], background=[[12, 16, 2]])
        assert (both[2, 22, 19], both[2, 16, 12]) == (1, 0)
        with pytest.raises(published.slicer.MONAILabelClientException, match="which the object's box leaves out"):
            infer(background=[[19, 22, 4]])


def test_what_is_unknown_has_the_answers_that_the_plugin_expects(slicer, published, tmp_path):
    assert not slicer.get_session("unknown")
    for call in (
        lambda: slicer.infer("other", "volume", parameters(pairs(BOX)), session_id="unknown"),
        lambda: slicer.infer("litemedsam", "volume", parameters(pairs(BOX)), session_id="unknown"),
        lambda: slicer.save_label("volume", str(written(tmp_path, stored(VOLUME, (0, 1, 2), (False,) * 3)))),
    ):
        with pytest.raises(published.slicer.MONAILabelClientException):
            call()
    with pytest.raises(published.slicer.MONAILabelClientException):
        slicer.auth_token("anyone", "wrong")


def test_the_oldest_volume_makes_room_and_is_uploaded_again(slicer, tmp_path):
    path = str(written(tmp_path, stored(VOLUME, (0, 1, 2), (False,) * 3)))
    sessions = [slicer.create_session(path)["session_id"] for _ in range(4)]
    assert not slicer.get_session(sessions[0])
    assert all(slicer.get_session(session) for session in sessions[1:])
    slicer.remove_session(sessions[1])
    assert not slicer.get_session(sessions[1])


def test_an_upload_beyond_the_limit_is_refused(slicer, published, tmp_path):
    path = tmp_path / "large.nii"
    path.write_bytes(bytes(3_000_000))
    for call in (lambda: slicer.create_session(str(path)), lambda: slicer.upload_image(str(path), "large")):
        with pytest.raises((published.slicer.MONAILabelClientException, OSError)):
            call()


def test_cvat_sends_a_picture_and_opens_a_picture(published, address, tmp_path):
    """The calls of CVAT's function, with its four numbers."""
    client = published.python.MONAILabelClient(address, str(tmp_path))
    client.update_auth(client.auth_token("anyone", TOKEN))
    picture = tmp_path / "frame.jpg"
    Image.fromarray(VOLUME[2]).save(picture, quality=100)
    given = {"output": "mask", "foreground": [], "background": [], "roi": [9, 13, 29, 30]}
    result, _ = client.infer(model="litemedsam", image_id="", file=str(picture), params=given)
    mask = np.array(Image.open(result)).astype(np.uint8)
    assert mask.shape == (40, 48)
    assert mask[22, 19] == 1
    mask[13:31, 9:30] = 0
    assert not mask.any()
