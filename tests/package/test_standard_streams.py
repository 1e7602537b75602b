"""A run whose standard output or error is closed, full, or read by nobody, as a shell starts it."""

import os
import shlex
import subprocess
import sys
from configparser import ConfigParser

import pytest
from places import ROOT


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


COMMANDS = {"eval": "evaluation", "export": "export", "train": "training"}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("redirection", "code", "told"),
    [
        (">&- 2>&- <&-", 0, ""),
        ("2>&-", 0, ""),
        ("| true", 1, "Error: standard output: cannot be written (Broken pipe)\n"),
        ("> /dev/full", 1, "Error: standard output: cannot be written (No space left on device)\n"),
    ],
)
def test_the_other_commands_do_not_need_their_streams_either(command, redirection, code, told):
    if "full" in redirection and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    call = f"from litemedsam.{COMMANDS[command]}.cli import command; command()"
    line = f"{shlex.quote(sys.executable)} -c {shlex.quote(call)} --help {redirection}"
    run = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (code, told)


def test_the_package_s_commands_keep_their_streams():
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    entries = parser["options.entry_points"]["console_scripts"].split("\n")
    assert all(entry.endswith(":command") for entry in entries if entry)
