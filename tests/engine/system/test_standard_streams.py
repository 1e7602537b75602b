"""A run whose standard output or error is closed, full, or read by nobody, as a shell starts it."""

import os
import shlex
import subprocess
import sys

import pytest


@pytest.fixture
def shell(scans, tiny_bundle, tmp_path):
    """A function (redirection, further options) to the finished process and whether its result was written."""

    def call(redirection, *options):
        command = [
            *(sys.executable, "-m", "litemedsam", scans / "flat.npz", scans / "volume.npz", "-o", tmp_path / "results"),
            *("--model", tiny_bundle, "--threads", "1", *options),
        ]
        line = f"{shlex.join(map(str, command))} {redirection}"
        run = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, check=False)
        assert "Traceback" not in run.stderr
        return run, sorted(path.name for path in (tmp_path / "results").glob("*"))

    return call


BOTH = ["flat.npz", "volume.npz"]


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_a_closed_stream_does_not_matter(shell, redirection):
    run, results = shell(redirection)
    assert run.returncode == 0
    assert run.stderr == ""
    assert results == BOTH


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_output_is_reported_in_one_line_and_the_run_goes_on(shell):
    run, results = shell("> /dev/full")
    assert run.returncode == 1
    assert run.stderr == "Error: standard output: cannot be written (No space left on device)\n"
    assert results == BOTH


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_error_stream_hides_errors_but_not_the_exit_code(shell, tmp_path):
    run, results = shell("2> /dev/full", tmp_path / "absent.npz")
    assert run.returncode == 1
    assert results == BOTH


def test_a_pipe_that_nobody_reads(shell):
    run, results = shell("| true")
    assert run.returncode == 1
    assert run.stderr == "Error: standard output: cannot be written (Broken pipe)\n"
    assert results == BOTH


def test_help_on_a_full_output(tmp_path):
    run = subprocess.run(
        ["bash", "-c", f"{shlex.quote(sys.executable)} -m litemedsam --help > /dev/full"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr == "Error: standard output: cannot be written (No space left on device)\n"
