"""A server with the tiny bundle, over the phantom in every format."""

from contextlib import ExitStack

import pytest
from litemedsam.engine.settings import EngineSettings
from litemedsam.server.app import application
from litemedsam.server.services import Services
from litemedsam.server.settings import ServerSettings
from server_client import ADDRESS, TOKEN, Client


@pytest.fixture(scope="session")
def engine(tiny_bundle):
    """Settings of a predictor of the tiny bundle."""
    return EngineSettings(tiny_bundle, threads=1)


def started(engine, **given):
    """A client, to be entered, of a server of its own."""
    settings = ServerSettings(engine, **{"token": TOKEN, **given})
    services = Services.start(settings)
    client = Client(application(settings, services), services, base_url=ADDRESS)
    client.headers["Authorization"] = f"Bearer {TOKEN}"
    return client


@pytest.fixture
def serve(scans, engine):
    """A function (settings by name) to a client of a server of its own."""
    with ExitStack() as stack:
        yield lambda engine=engine, **given: stack.enter_context(started(engine, **{"data": (scans,), **given}))


@pytest.fixture(scope="module")
def module_client(scans, engine):
    """A client that the tests of a file share, since they change nothing."""
    with started(engine, data=(scans,)) as client:
        yield client


@pytest.fixture
def client(serve):
    """A client of a server with usual settings."""
    return serve()
