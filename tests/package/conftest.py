"""Fixtures of the commands as processes."""

import pytest
from sample_scans import write_scans


@pytest.fixture(scope="session")
def scans(tmp_path_factory):
    """A folder with one phantom in every format, which no test changes."""
    return write_scans(tmp_path_factory.mktemp("scans"))
