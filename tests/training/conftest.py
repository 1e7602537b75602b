"""The training room's tests run in a process of their own; see `tests/test_training_room.py`."""

import pytest


def pytest_ignore_collect(collection_path, config):
    """Leave this folder out unless it is asked for by name."""
    return None if any("training" in argument for argument in config.args) else True


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors on busy cores: threads would only wait for one another."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
