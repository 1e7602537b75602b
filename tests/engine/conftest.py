"""Fixtures for the command line."""

import pytest
from click.testing import CliRunner
from litemedsam.engine.cli.main import main


@pytest.fixture
def infer(tiny_bundle, tmp_path):
    """A function (arguments, expected exit code) to the result of `litemedsam-infer`."""

    def call(*arguments, code=0, output=None):
        given = [*arguments, "-o", output or tmp_path / "results", "--model", tiny_bundle, "--threads", 1]
        run = CliRunner().invoke(main, [str(argument) for argument in given])
        assert code is None or run.exit_code == code, run.output
        assert run.exception is None or isinstance(run.exception, SystemExit)
        return run

    return call


@pytest.fixture
def infer_into(infer):
    """A function (folder) to `infer` with that folder for results."""

    def into(folder):
        return lambda *arguments, code=0: infer(*arguments, output=folder, code=code)

    return into
