"""The command: starts, prints its address, serves, and ends cleanly."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner
from litemedsam.server.cli import main

BIN = Path(sys.executable).parent


@pytest.fixture
def process(scans, tiny_bundle, tmp_path):
    """A function (arguments) to a server in a process of its own and its address."""
    running = []

    def start(*arguments):
        command = [BIN / "litemedsam-serve", scans, "--port", 0, "--no-browser", "--model", tiny_bundle, *arguments]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "LITEMEDSAM_CACHE": ""}
        one = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        running.append(one)
        return one, re.search(r"http://\S+", one.stdout.readline())[0]

    yield start
    for one in running:
        one.kill()
        one.communicate()


def asked(address, **headers):
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=20) as answer:
        return answer.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_and_ends_cleanly_with_an_open_stream(process, tmp_path, number):
    one, address = process()
    assert one.stdout.readline() == "Ctrl-C ends it.\n"
    page, _, token = address.partition("?token=")
    assert len(token) >= 32
    assert asked(f"{page}healthz") == b'{"ok":true}'
    assert b"<title>" in asked(address)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        asked(f"{page}api/about")
    bearer = {"Authorization": f"Bearer {token}"}
    files = asked(f"{page}api/files", **bearer)
    key = re.search(rb'"id":"(\w+)","name":"scan.nii.gz"', files)[1].decode()
    request = urllib.request.Request(
        f"{page}api/sessions",
        f'{{"file": "{key}"}}'.encode(),
        {**bearer, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        session = re.search(rb'"id":"([\w-]+)"', answer.read())[1].decode()
    stream = urllib.request.urlopen(
        urllib.request.Request(f"{page}api/sessions/{session}/events", headers=bearer), timeout=20
    )
    assert stream.readline() == b"event: state\n"
    one.send_signal(number)
    out, err = one.communicate(timeout=20)
    assert (one.returncode, out, err) == (0, "", "")
    assert not list(tmp_path.glob("litemedsam-*"))


def test_a_signal_during_a_propagation_ends_it(process, scans, tmp_path):
    """The volume has many slices, so that the masks take seconds."""
    import nibabel
    import numpy as np

    volume = np.random.default_rng(0).integers(0, 255, (96, 96, 3000), np.uint8)
    nibabel.Nifti1Image(volume, np.diag([-1.0, -1, 1, 1])).to_filename(tmp_path / "long.nii")
    one, address = process(tmp_path / "long.nii")
    page, _, token = address.partition("?token=")
    bearer = {"Authorization": f"Bearer {token}"}

    def post(path, body):
        headers = {**bearer, "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(page + path, body.encode(), headers), timeout=60) as answer:
            return json.load(answer)

    key = next(
        file["id"] for file in json.loads(asked(f"{page}api/files", **bearer))["files"] if file["name"] == "long.nii"
    )
    session = post("api/sessions", json.dumps({"file": key}))["id"]
    state = post(f"api/sessions/{session}/objects", json.dumps({"box": [5, 5, 0, 90, 90, 2999]}))
    assert state["objects"][0]["pending"]
    assert json.loads(asked(f"{page}api/sessions/{session}/state", **bearer))["objects"][0]["pending"]
    one.send_signal(signal.SIGTERM)
    assert one.wait(15) == 0
    assert one.stderr.read() == ""


def test_a_port_in_use_is_one_line(process):
    _, address = process()
    port = re.search(r":(\d+)/", address)[1]
    run = CliRunner().invoke(main, ["--port", port, "--no-browser"])
    assert run.exit_code == 1
    assert run.output.startswith("Error: cannot listen on 127.0.0.1:")
    assert run.output.count("\n") == 1
    assert "--port; 0 takes a free one" in run.output


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["absent.nii.gz", "--port", "0"], "no such file or folder", 1),
        (["--model", "absent", "--port", "0"], "absent: holds no encoder.onnx", 1),
        (["--no-token", "--host", "0.0.0.0"], "127.0.0.1 alone", 2),
        (["--no-token", "--token", "abcdefgh"], "exclude each other", 2),
        (["--token", "short"], "at least 8", 2),
        (["--token", "with a space"], "at least 8", 2),
        (["--max-upload", "much"], "500MB", 2),
        (["--port", "70000"], "65535", 2),
        (["--allow-origin", "*", "--port", "0"], "https://viewer.example.org", 1),
        (["--host", "203.0.113.9", "--port", "0"], "cannot listen on", 1),
    ],
)
def test_wrong_usage_is_one_clear_error(arguments, words, code):
    run = CliRunner().invoke(main, [*arguments, "--no-browser"])
    assert run.exit_code == code, run.output
    assert words in " ".join(run.output.split())


def test_sizes_have_units():
    from litemedsam.server.cli import _Size

    assert [_Size().convert(text, None, None) for text in ("1", "2kB", "1.5MB", "2 GB", "1t")] == [
        1,
        2000,
        1_500_000,
        2 * 10**9,
        10**12,
    ]


def test_the_extra_is_named_where_it_is_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "litemedsam.server.launch", raising=False)
    run = CliRunner().invoke(main, ["--no-browser", "--port", "0"])
    assert run.exit_code == 1
    assert 'pip install "litemedsam[serve]"' in run.output


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">&-", 0, ""),
        ("2>&-", 0, ""),
        (">&- 2>&-", 0, ""),
        (">/dev/full", 1, "Error: standard output: cannot be written (No space left on device)\n"),
        ("2>/dev/full", 0, ""),
        (">/dev/full 2>/dev/full", 1, ""),
    ],
)
def test_it_serves_without_somebody_to_report_to(tiny_bundle, tmp_path, redirection, code, said):
    """Whoever gave the token and the port needs no line."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = f'exec "$0" --port {port} --no-browser --token a-token-for-tests --model "$1" {redirection}'
    words = ["sh", "-c", command, BIN / "litemedsam-serve", tiny_bundle]
    with subprocess.Popen([str(word) for word in words], stderr=subprocess.PIPE, text=True, cwd=tmp_path) as one:
        try:
            assert answered(f"http://127.0.0.1:{port}/healthz") == b'{"ok":true}'
        finally:
            one.send_signal(signal.SIGINT)
        assert one.stderr.read() == said
    assert one.returncode == code


def answered(address):
    """What a server that is just starting answers."""
    for _ in range(200):
        try:
            return asked(address)
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"no answer from {address}")
