"""A volume's objects from slice to slice, compared with a plain loop over the objects."""

from dataclasses import replace

import numpy as np
import pytest
from litemedsam.engine.case import checked_case
from litemedsam.engine.inference.automatic_prompts import AutomaticPrompts
from litemedsam.engine.inference.case_segmenter import CaseSegmenter
from litemedsam.engine.inference.network import PROMPTS_PER_CALL, Network
from litemedsam.engine.inference.prompt import Target, UserPrompts
from litemedsam.engine.inference.propagation import Step, plan
from litemedsam.engine.inference.protocols import CORRECTED, PASSAGES, PUBLISHED, Passage, ellipsoid_width
from litemedsam.engine.inference.region import to_region
from tiny_bundle import write_tiny_bundle

PROTOCOLS = {**PASSAGES, **PUBLISHED}
SHAPE = (9, 80, 50)
# Ways up and down that cross, one slice only, the first and the last slice, two of the same, six on one slice.
BOXES = np.array(
    [
        [5, 10, 0, 30, 60, 8],
        [10, 20, 2, 45, 70, 5],
        [8, 8, 4, 28, 40, 4],
        [2, 3, 0, 20, 30, 1],
        [20, 30, 6, 48, 78, 8],
        [8, 8, 3, 28, 40, 7],
        [0, 0, 5, 49, 79, 5],
    ],
    np.float64,
)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    network = Network.load(write_tiny_bundle(tmp_path_factory.mktemp("small")), "onnxruntime", "f32", 1)
    yield network
    network.close()


@pytest.fixture(scope="module")
def case():
    """Bright discs that move, grow and vanish from slice to slice."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    pixels = rng.integers(0, 60, SHAPE).astype(np.uint8)
    for z, page in enumerate(pixels):
        for cx, cy, radius in ((14 + z, 30, 9), (30, 55 - z, 4 + z), (12, 14, 8 - z)):
            if radius > 0:
                page[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = 150 + 10 * z
    pixels[7, :, 25:] = 0
    return checked_case("case", pixels, BOXES)


def one_after_the_other(network, protocol, case):
    """Labels and each object's scores, from scratch for every object and slice."""
    labels = np.zeros(case.grid, np.int64)
    scores = []

    def answer(number, z, box, embedding, scribble=None):
        prompt = AutomaticPrompts(0).prompt(Target(number, z), box, embedding.foreground)
        if scribble is not None:
            prompt = replace(prompt, scribble=scribble)
        decoded = network.decode(embedding, [prompt])
        region = to_region(decoded.logits[0], embedding.frame)
        own = case.boxes[number - 1][[0, 1, 3, 4]]
        region = protocol.bounded(region, own, embedding.frame)
        labels[z] = np.maximum(labels[z], number * region.full(*case.grid[1:]))
        scores[-1].append(float(decoded.scores[0]))
        return region

    for number, box in enumerate(case.boxes, start=1):
        scores.append([])
        own = box[[0, 1, 3, 4]]
        covered = protocol.slices(int(box[2]), int(box[5]))
        embedding = network.encode(case.pixels[covered.middle])
        middle = answer(number, covered.middle, protocol.box_in_frame(own, embedding.frame), embedding)
        for ways, upwards in ((covered.up, True), (covered.down, False)):
            before = middle
            for z in ways:
                embedding = network.encode(case.pixels[z])
                came_from = z - 1 if upwards else z + 1
                widths = tuple(ellipsoid_width(k, box[2], box[5]) for k in (came_from, z))
                passage = Passage(before, number, own, upwards, widths)
                passed_on = protocol.next_box(passage, embedding.frame)
                scribble = protocol.next_scribble(passage, embedding.frame)
                before = answer(number, z, passed_on, embedding, scribble)
    return labels, scores


def test_a_user_s_own_scribble_is_not_replaced_by_the_slice_before(network, case, monkeypatch):
    seen, decode = [], network.decode
    monkeypatch.setattr(network, "decode", lambda embedding, asked: seen.extend(asked) or decode(embedding, asked))
    drawn = np.zeros((64, 64), bool)
    drawn[20:30, 20:30] = True
    one, protocol = checked_case("one", case.pixels, BOXES[:1]), PASSAGES["ellipsoid_mask"]
    own = UserPrompts({}, {Target(1, z): drawn for z in range(0, SHAPE[0], 2)}, AutomaticPrompts(0))
    CaseSegmenter(network, protocol, own, 0).segment(one)
    kept = [np.array_equal(prompt.scribble, drawn) for prompt in seen]
    # From the middle up, then down.
    assert kept == [z % 2 == 0 for z in (4, 5, 6, 7, 8, 3, 2, 1, 0)]


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("cached", [0, 3, 100])
def test_a_volume_equals_its_objects_one_after_the_other(network, case, name, cached):
    protocol = PROTOCOLS[name]
    nbytes = network.encode(case.pixels[0]).nbytes
    calls = []
    segmenter = CaseSegmenter(network, protocol, AutomaticPrompts(0), cached * nbytes)
    result = segmenter.segment(case, lambda done, total: calls.append((done, total)))
    labels, scores = one_after_the_other(network, protocol, case)
    np.testing.assert_array_equal(result.labels, labels)
    np.testing.assert_array_equal(result.scores, np.float32([np.mean(values) for values in scores]))
    assert result.scores.dtype == np.float32
    assert set(np.unique(labels)) >= {0, 1, 2, 5, 6, 7}
    steps = plan(case.boxes, protocol)
    assert calls == [(k, len(steps)) for k in range(1, len(steps) + 1)]
    visited = [step.slice_index for step in steps]
    assert result.encoded == (len(visited) if cached == 0 else len(set(visited)) if cached == 100 else result.encoded)
    assert set(result.seconds) == {"encode", "prompts", "decode", "masks"}
    assert all(seconds > 0 for seconds in result.seconds.values())


def test_what_is_not_needed_again_is_not_kept(network, case, monkeypatch):
    """With room for the slices that the other sweep comes back to and no more, each is encoded once."""
    nbytes = network.encode(case.pixels[0]).nbytes
    steps = plan(case.boxes, CORRECTED)
    needed = len(steps) - len({step.slice_index for step in steps})
    result = CaseSegmenter(network, CORRECTED, AutomaticPrompts(0), needed * nbytes).segment(case)
    assert result.encoded == SHAPE[0]


def test_an_image_equals_its_objects_one_by_one(network, case):
    flat = checked_case("flat", case.pixels[4], np.delete(BOXES, [2, 5], axis=1))
    calls = []
    segmenter = CaseSegmenter(network, CORRECTED, AutomaticPrompts(0), 0)
    result = segmenter.segment(flat, lambda done, total: calls.append((done, total)))
    expected = np.zeros(flat.grid, np.uint8)
    embedding = network.encode(flat.pixels)
    for number, box in enumerate(flat.boxes, start=1):
        framed = CORRECTED.box_in_frame(box, embedding.frame)
        prompt = AutomaticPrompts(0).prompt(Target(number), framed, embedding.foreground)
        decoded = network.decode(embedding, [prompt])
        region = CORRECTED.bounded(to_region(decoded.logits[0], embedding.frame), box, embedding.frame)
        expected[region.full(*flat.grid)] = number
        assert result.scores[number - 1] == decoded.scores[0]
    np.testing.assert_array_equal(result.labels, expected)
    assert len(flat.boxes) > PROMPTS_PER_CALL
    assert calls == [(k, len(flat.boxes) + 1) for k in range(1, len(flat.boxes) + 2)]
    assert result.encoded == 1


class Remembered(AutomaticPrompts):
    """Remembers whom it was asked for."""

    asked: list = []  # noqa: RUF012 - one test only

    def prompt(self, target, box, foreground):
        self.asked.append(target)
        return super().prompt(target, box, foreground)


def test_prompts_are_asked_for_by_object_and_slice(network, case):
    CaseSegmenter(network, CORRECTED, Remembered(0), 0).segment(case)
    steps = plan(case.boxes, CORRECTED)
    assert Remembered.asked == [Target(number, step.slice_index) for step in steps for number in step.numbers]


@pytest.mark.parametrize("objects", [1, 255, 256])
def test_labels_are_as_wide_as_their_number(network, objects):
    boxes = np.tile([[1, 1, 30, 30]], (objects, 1))
    pixels = np.zeros((40, 40), np.uint8)
    pixels[5:20, 5:20] = 200
    result = CaseSegmenter(network, CORRECTED, AutomaticPrompts(0), 0).segment(checked_case("c", pixels, boxes))
    assert result.labels.dtype == (np.uint8 if objects < 256 else np.uint16)
    assert result.labels.max() == objects


def test_the_plan_of_two_objects():
    boxes = np.array([[0, 0, 1, 9, 9, 4], [0, 0, 0, 9, 9, 2]])
    assert plan(boxes, CORRECTED) == [
        Step(1, True, (2,)),
        Step(2, True, (1, 2)),
        Step(3, True, (1,)),
        Step(4, True, (1,)),
        Step(1, False, (1,)),
        Step(0, False, (2,)),
    ]


def test_the_plan_visits_each_slice_once_per_sweep():
    boxes = np.array([[0, 0, 0, 9, 9, 10], [0, 0, 4, 9, 9, 12], [0, 0, 7, 9, 9, 7]])
    steps = plan(boxes, CORRECTED)
    up = [step for step in steps if step.upwards]
    down = [step for step in steps if not step.upwards]
    assert [step.slice_index for step in up] == [5, 6, 7, 8, 9, 10, 11, 12]
    assert [step.slice_index for step in down] == [7, 6, 5, 4, 3, 2, 1, 0]
    assert up[2].numbers == (1, 3)
    visits = sorted((number, step.slice_index) for step in steps for number in step.numbers)
    assert visits == [(1, z) for z in range(11)] + [(2, z) for z in range(4, 13)] + [(3, 7)]
