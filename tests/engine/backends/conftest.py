"""Every runtime."""

import pytest
from litemedsam.engine.backends.registry import BACKENDS


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request):
    return request.param
