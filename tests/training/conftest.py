"""The training room's tests run in a process of their own; see `tests/test_training_room.py`."""


def pytest_ignore_collect(collection_path, config):
    """Leave this folder out unless it is asked for by name."""
    return None if any("training" in argument for argument in config.args) else True
