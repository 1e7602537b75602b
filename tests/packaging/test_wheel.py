"""The wheel contains the package and works alone, without torch."""

import subprocess
import sys
import venv
import zipfile
from configparser import ConfigParser
from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.bundle.packaged import DEFAULT
from places import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([sys.executable, "-m", "build", "--wheel", "-o", folder, source], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def packages() -> dict[str, Path]:
    """Every package of setup.cfg with its folder."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    listed = parser["options"]["packages"].split()
    mapping = dict(line.split(" = ") for line in parser["options"]["package_dir"].strip().splitlines())
    folders = {}
    for name in listed:
        anchor = max((key for key in mapping if name == key or name.startswith(key + ".")), key=len)
        folders[name] = ROOT.joinpath(mapping[anchor], *name[len(anchor) :].strip(".").split("."))
    return folders


def test_every_source_folder_is_listed():
    listed = set(packages().values())
    rooms = ("src/litemedsam", "models", "training", "export", "engine", "evaluation", "server")
    found = {path.parent for room in rooms for path in (ROOT / room).rglob("__init__.py")}
    assert found == listed


def test_the_wheel_holds_the_source_folders_and_nothing_else(wheel):
    home = ROOT / "src"
    bundles = {path.relative_to(home).as_posix() for path in (home / "litemedsam" / "bundles").rglob("*.*")}
    assert f"litemedsam/bundles/{DEFAULT}/encoder.onnx" in bundles
    sums = {f"{Path(path).parent.as_posix()}/SHA256SUMS" for path in bundles}
    expected = {"litemedsam/py.typed"} | bundles | sums
    for name, folder in packages().items():
        expected |= {"/".join([*name.split("."), path.name]) for path in folder.glob("*.py")}
    expected |= {f"litemedsam/training/recipes/{path.name}" for path in (ROOT / "training" / "recipes").iterdir()}
    expected |= {f"litemedsam/server/page/{path.name}" for path in (ROOT / "server" / "page").iterdir()}
    expected |= {"litemedsam/server/openapi.json"}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == expected


def test_the_wheel_infers_without_torch(wheel, tmp_path):
    """A fresh environment that sees the run-time dependencies only."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", wheel], check=True, capture_output=True)
    absent = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    assert absent.returncode != 0
    command = [tmp_path / "env" / "bin" / "litemedsam-infer", ROOT / "examples" / "2DBox_phantom.npz"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    labels = np.load(tmp_path / "outputs" / "2DBox_phantom.npz", allow_pickle=False)["segs"]
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    remedy = subprocess.run(
        [tmp_path / "env" / "bin" / "litemedsam-export", "x.pth", "-o", "y"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert remedy.returncode == 1
    assert 'pip install "litemedsam[export]"' in remedy.stderr
