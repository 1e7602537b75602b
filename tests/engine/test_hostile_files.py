"""Code in files never runs, and files never lead to other files: each proof would leave a file behind."""

import io
import os
import pickle
import shutil
import zipfile

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from litemedsam.engine.backends.registry import BACKENDS
from litemedsam.engine.bundle.info import DECODER, ENCODER
from litemedsam.engine.cli.main import main
from litemedsam.engine.inference.network import Network
from litemedsam.engine.io.npz import read_case
from litemedsam.evaluation.cases import read_masks
from litemedsam.evaluation.truth import Truth
from litemedsam.models.checkpoint import load_checkpoint, read_state
from PIL import Image

from litemedsam import LiteMedSamError

BOXES = np.array([[1, 1, 8, 9]])
PIXELS = np.arange(200, dtype=np.uint8).reshape(10, 20)


class Proof:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def proof(tmp_path):
    """An object whose unpickling would be seen; and it is, by the plain unpickler."""
    path = tmp_path / "proof"
    pickle.loads(pickle.dumps(Proof(path)))  # noqa: S301 - the proof that the proof works
    assert path.is_dir()
    path.rmdir()
    yield Proof(path)
    assert not path.exists()


def infer(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments), "--threads", "1"])


@pytest.mark.parametrize("key", ["imgs", "boxes", "spacing"])
def test_pickles_in_npz_files_are_not_loaded(tmp_path, proof, key):
    arrays = {"imgs": PIXELS, "boxes": BOXES, key: np.array([proof], object)}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(LiteMedSamError, match=f"{key} holds pickled Python objects, which are never loaded"):
        read_case(tmp_path / "a.npz")


def test_a_pickle_under_the_name_of_an_array_is_not_loaded(tmp_path, proof):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("imgs.npy", pickle.dumps(proof))
        archive.writestr("segs.npy", pickle.dumps(proof))
        archive.writestr("boxes.npy", pickle.dumps(proof))
    with pytest.raises(LiteMedSamError, match="imgs is damaged"):
        read_case(tmp_path / "a.npz")
    with pytest.raises(LiteMedSamError, match="segs is damaged"):
        read_masks(tmp_path / "a.npz", Truth("a", np.zeros((10, 20), np.uint16), None))
    (tmp_path / "b.npz").write_bytes(pickle.dumps(proof))
    with pytest.raises(LiteMedSamError, match="not an npz file"):
        read_case(tmp_path / "b.npz")


def test_pickles_in_evaluated_files_are_not_loaded(tmp_path, proof):
    np.savez(tmp_path / "a.npz", segs=np.array([[proof]], object))
    with pytest.raises(LiteMedSamError, match="pickled"):
        read_masks(tmp_path / "a.npz", Truth("a", np.zeros((1, 1), np.uint16), None))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("where", ["top", "value", "name"])
def test_pickles_in_checkpoints_are_not_run(tmp_path, proof, zipped, where):
    tensor = torch.zeros(2)
    content = {"top": proof, "value": {"a": tensor, "b": proof}, "name": {"model": {"a": tensor}, "epoch": proof}}
    torch.save(content[where], tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    for read in (read_state, load_checkpoint):
        with pytest.raises(LiteMedSamError, match="not a PyTorch checkpoint of plain tensors"):
            read(tmp_path / "a.pth")


def test_a_bare_pickle_is_no_checkpoint(tmp_path, proof):
    (tmp_path / "a.pth").write_bytes(pickle.dumps(proof))
    with pytest.raises(LiteMedSamError, match="not a PyTorch checkpoint"):
        read_state(tmp_path / "a.pth")


def test_paths_inside_archives_lead_nowhere(tmp_path):
    """Entries that climb out of the archive are not written anywhere, whoever unpacks what is beside them."""
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    array = io.BytesIO()
    np.save(array, PIXELS)
    for name in ("case.npz", "weights.pth"):
        with zipfile.ZipFile(inside / name, "w") as archive:
            for climbing in ("../../escaped.npy", str(tmp_path / "escaped.npy"), "imgs.npy", "archive/data.pkl"):
                archive.writestr(climbing, array.getvalue())
    with pytest.raises(LiteMedSamError, match="lacks boxes"):
        read_case(inside / "case.npz")
    with pytest.raises(LiteMedSamError):
        read_state(inside / "weights.pth")
    assert sorted(path.name for path in tmp_path.rglob("*.np*")) == ["case.npz"]


def test_a_link_in_the_place_of_a_result_is_replaced_not_followed(tmp_path, tiny_bundle):
    np.savez(tmp_path / "a.npz", imgs=PIXELS, boxes=BOXES)
    precious = tmp_path / "precious"
    output = tmp_path / "results"
    for content in (b"kept", None):
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        precious.unlink(missing_ok=True)
        if content is not None:
            precious.write_bytes(content)
        results, records = ("a.npz", "a.png"), ("run.json", "objects.csv", "page.html")
        # Records replace no link to a file of another kind.
        for name in results if content else results + records:
            (output / name).symlink_to(precious)
        reports = ("--report", output / "run.json", "--csv", output / "objects.csv", "--html", output / "page.html")
        run = infer(tmp_path / "a.npz", "-o", output, "--model", tiny_bundle, "--overwrite", *reports)
        assert run.exit_code == 0, run.output
        assert not any(path.is_symlink() for path in output.iterdir())
        assert len(list(output.iterdir())) == 5
        assert precious.read_bytes() == content if content else not precious.exists()


def test_a_linked_folder_does_not_lead_results_out(tmp_path, tiny_bundle):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    Image.fromarray(PIXELS).save(tmp_path / "in" / "sub" / "a.png")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "sub").symlink_to(tmp_path / "elsewhere")
    command = (tmp_path / "in", "-o", tmp_path / "results", "--model", tiny_bundle, "--box", "1,1,8,9")
    run = infer(*command)
    assert run.exit_code == 1
    assert "would leave" in run.output
    assert list((tmp_path / "elsewhere").iterdir()) == []
    # The folder that the user names may be a link itself.
    (tmp_path / "results" / "sub").unlink()
    (tmp_path / "linked").symlink_to(tmp_path / "results")
    run = infer(tmp_path / "in", "-o", tmp_path / "linked", "--model", tiny_bundle, "--box", "1,1,8,9")
    assert run.exit_code == 0, run.output
    assert (tmp_path / "results" / "sub" / "a.png").is_file()


def external(folder, name, location):
    """A graph of the bundle whose weights are moved to another file."""
    model = onnx.load(folder / name)
    weight = model.graph.initializer.add()
    weight.CopyFrom(onnx.numpy_helper.from_array(np.arange(4096, dtype=np.float32), "outside"))
    onnx.external_data_helper.set_external_data(weight, location=location)
    weight.ClearField("raw_data")
    model.graph.node.append(onnx.helper.make_node("Identity", ["outside"], ["leak"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("leak", onnx.TensorProto.FLOAT, (4096,)))
    (folder / name).write_bytes(model.SerializeToString())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [ENCODER, DECODER])
@pytest.mark.parametrize("location", ["../secret", "/proc/self/environ", "weights.bin"])
def test_graphs_do_not_read_other_files(tmp_path, tiny_bundle, backend, name, location):
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    for path in (tmp_path / "secret", folder / "weights.bin"):
        path.write_bytes(bytes(4 * 4096))
    external(folder, name, location)
    with pytest.raises(LiteMedSamError, match="takes weights from other files; store them in the graph itself"):
        Network.load(folder, backend, "f32", 1)


def test_pictures_never_run_programs(tmp_path):
    """PostScript, under a picture's name: reading it would call an interpreter that can write files."""
    proof = tmp_path / "proof"
    script = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({proof}) (w) file closefile\nshowpage\n%%EOF\n"
    (tmp_path / "a.png").write_text(script)
    run = infer(tmp_path / "a.png", "-o", tmp_path / "results", "--box", "1,1,2,2")
    assert run.exit_code == 1
    assert "not a picture" in run.output
    assert not proof.exists()
