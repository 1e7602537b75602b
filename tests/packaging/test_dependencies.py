"""The list of dependencies equals the lock file's, and nothing reports over the network."""

import os
import platform
import re
import subprocess
import sys
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, version
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from places import ROOT
from tiny_bundle import write_tiny_bundle

PAGE = (ROOT / "docs" / "dependencies.md").read_text()
ROWS = {
    cells[0]: cells[1:]
    for cells in (
        [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line[:1] == "|"
    )
    if re.match(r"[a-z]", cells[0]) and cells[0] != "package"
}
# None of these asks a user of the package for more than to name it.
LICENCES = (
    "MIT",
    "MIT-CMU",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Apache-2.0",
    "MPL-2.0",
    "PSF-2.0",
    "0BSD",
    "Zlib",
    "CC0-1.0",
)
LICENCES += ("Apache-2.0 WITH LLVM-exception", "BSL-1.0")


@pytest.fixture(scope="module")
def script():
    spec = spec_from_file_location("list_dependencies", ROOT / "docker" / "list_dependencies.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_list_is_the_lock_file_s(script):
    pinned = script.pinned()
    assert len(pinned) > 10
    assert {name: cells[0] for name, cells in ROWS.items() if "litemedsam[" not in cells[2]} == pinned


def test_the_lock_file_holds_all_that_is_asked_for_and_its_hashes(script):
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    names = {re.match(r"[\w.-]+", line)[0] for line in parser["options"]["install_requires"].split()}
    assert names <= set(script.pinned())
    text = (ROOT / "docker" / "requirements.txt").read_text()
    blocks = re.split(r"^(?=[a-z])", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if block.strip())


def installed(name: str) -> str | None:
    """A package's version, None where there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def test_every_extra_is_listed(script):
    for extra, lines in script.optional().items():
        for line in lines:
            name = re.match(r"[\w.-]+", line)[0]
            assert f"| {name} | {line[len(name) :]} |" in PAGE, (extra, line)


@pytest.mark.parametrize("name", ROWS)
def test_licences_are_those_of_the_packages_and_permissive(script, name):
    listed = ROWS[name][1]
    assert all(part.strip("( )") in LICENCES for part in re.split(r" AND | OR ", listed)), listed
    # What only benchmarks need is not installed with the tests.
    if installed(name) == ROWS[name][0]:
        assert script.licence(name) == listed


FORBID = """
import ctypes, platform, socket, struct

def forbid_internet():
    '''From now on, the process dies when anything in it opens an Internet socket.'''
    number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
    load, equal, give = 0x20, 0x15, 0x06
    steps = [
        (load, 0, 0, 0), (equal, 0, 4, number),
        (load, 0, 0, 16), (equal, 1, 0, socket.AF_INET), (equal, 0, 1, socket.AF_INET6),
        (give, 0, 0, 0x80000000), (give, 0, 0, 0x7FFF0000),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, program, 0, 0) == 0

forbid_internet()
"""
INFER = """
import sys
import numpy as np
from litemedsam import Predictor
predictor = Predictor(sys.argv[1], backend=sys.argv[2], threads=2)
print(predictor.segment(np.eye(40, dtype=np.uint8) * 200, [[2, 2, 30, 30]]).labels.sum())
predictor.close()
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="Linux forbids by these numbers"
)
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_no_library_opens_an_internet_socket(tmp_path, backend):
    def run(code, *arguments):
        command = [sys.executable, "-c", FORBID + code, *map(str, arguments)]
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "LITEMEDSAM_CACHE": ""}
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    assert run("socket.socket(socket.AF_UNIX); print('alive')").stdout == "alive\n"
    for family in ("AF_INET", "AF_INET6"):
        assert run(f"socket.socket(socket.{family}); print('alive')").returncode == -31
    done = run(INFER, write_tiny_bundle(tmp_path / "bundle"), backend)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
    assert done.stderr == ""
    # What would be sent later is kept here first.
    assert not (tmp_path / "home").exists()
