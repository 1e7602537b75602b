"""What an engine loads for a case: as many streams, and as large a cache, as the memory allows."""

import numpy as np
import pytest
from litemedsam.engine.case import checked_case
from litemedsam.engine.inference.automatic_prompts import AutomaticPrompts
from litemedsam.engine.inference.budget import DECODING_BYTES, ENCODING_BYTES, GRAPHS_BYTES, MemoryBudget
from litemedsam.engine.inference.engine import Engine
from litemedsam.engine.inference.network import Network
from litemedsam.engine.inference.protocols import CORRECTED
from litemedsam.engine.inference.streams import Growing, Streams

from litemedsam import LiteMedSamError

IMAGE = checked_case("image", np.zeros((20, 30), np.uint8), np.array([[1, 1, 9, 9]] * 3))
VOLUME = checked_case("volume", np.zeros((4, 20, 30), np.uint8), np.array([[1, 1, 0, 9, 9, 3]]))
# The arrays of these cases are small beside it.
ROOM = 1_000_000


@pytest.fixture
def engine(tiny_bundle):
    """A function (memory limit) to an engine of four threads whose graphs are not loaded yet."""
    made = []

    def make(limit):
        network = Network.load(tiny_bundle, "onnxruntime", "f32", 4)
        made.append(network)
        return Engine(network, CORRECTED, AutomaticPrompts(0), Growing(4), MemoryBudget(limit, 0), 10_000)

    yield make
    for network in made:
        network.close()


@pytest.mark.parametrize(("case", "loaded"), [(IMAGE, Streams(1, 3)), (VOLUME, Streams(4, 4))])
def test_without_a_limit_the_policy_decides(engine, case, loaded):
    made = engine(None)
    assert made.prepare(case) == (loaded.decoding, 10_000)
    assert made.network.streams == loaded


def test_graphs_that_are_loaded_for_more_serve_an_image_after_a_volume(engine):
    made = engine(None)
    made.prepare(VOLUME)
    assert made.prepare(IMAGE) == (4, 10_000)
    assert made.network.streams == Streams(4, 4)


def test_little_memory_means_fewer_streams_and_a_smaller_cache(engine):
    each = ENCODING_BYTES + DECODING_BYTES
    made = engine(GRAPHS_BYTES + 2 * each + ROOM)
    assert made.prepare(VOLUME) == (2, 10_000)
    assert made.network.streams == Streams(2, 2)
    voxels, masks = 2 * VOLUME.pixels.size, 3 * 20 * 30
    assert engine(GRAPHS_BYTES + each + voxels + masks + 7).prepare(VOLUME) == (1, 7)


def test_a_case_that_does_not_fit_loads_nothing(engine):
    made = engine(GRAPHS_BYTES)
    with pytest.raises(LiteMedSamError, match=r"volume: shape \(4, 20, 30\) needs .* give the container more"):
        made.prepare(VOLUME)
    assert made.network.streams is None
