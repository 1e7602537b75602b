"""Many cases and many threads: the same results, and no memory that grows."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from litemedsam.engine.backends.registry import BACKENDS

from litemedsam import LiteMedSamError, Predictor

# In a process of its own, so that what other tests left is not counted.
MANY = """
import gc, sys
from pathlib import Path
from litemedsam import Predictor
from litemedsam.engine.system.resources import resident_memory
from litemedsam.engine.running.executor import Local
from litemedsam.engine.running.options import Existing, Options
from litemedsam.engine.running.reporters import Lines
from litemedsam.engine.running.run import run

bundle, cases, output = map(Path, sys.argv[1:])
paths = sorted(cases.iterdir())
executor = Local(Predictor(bundle, threads=1))
options = Options(output, existing=Existing.REPLACE)
held = {}
for number in range(1, 2001):
    (report,) = run(executor, [paths[number % len(paths)]], options, Lines(False, True))
    assert not report.error, report.error
    if number in (50, 2000):
        held[number] = resident_memory()
print(held[50], held[2000])
"""


def test_two_thousand_cases_hold_no_more_memory_than_fifty(tiny_bundle, tmp_path):
    cases = tmp_path / "cases"
    cases.mkdir()
    rng = np.random.default_rng(0)
    for number in range(20):
        shape = (3, 60, 50) if number % 4 == 0 else (60 + number, 50)
        box = [2, 3, 40, 50] if len(shape) == 2 else [2, 3, 0, 40, 50, 2]
        np.savez(cases / f"{number}.npz", imgs=rng.integers(0, 255, shape, np.uint8), boxes=[box] * (1 + number % 6))
    command = [sys.executable, "-c", MANY, str(tiny_bundle), str(cases), str(tmp_path / "results")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    after_50, after_2000 = map(int, run.stdout.split())
    assert after_2000 < 1.05 * after_50


def images(count):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (80 + 10 * k, 90), np.uint8) for k in range(count)]


BOXES = np.array([[5, 5, 60, 70], [10, 20, 80, 60], [0, 0, 89, 79]])


def one(predictor, image):
    """All that a thread may do with an image of its own."""
    predictor.set_image(image)
    prediction = predictor.predict(BOXES)
    volume = np.stack([image, image[::-1], image])
    boxes = np.hstack([BOXES[:, :2], [[0]] * 3, BOXES[:, 2:], [[2]] * 3])
    whole = predictor.segment(volume, boxes)
    again = predictor.predict(BOXES[1:])
    parts = (prediction.masks, prediction.scores, prediction.logits, whole.labels, whole.scores, again.logits)
    return [np.ascontiguousarray(part).tobytes() for part in parts]


@pytest.mark.parametrize("backend", BACKENDS)
def test_eight_threads_share_a_model(tiny_bundle, backend):
    predictor = Predictor(tiny_bundle, backend=backend, threads=2)
    expected = [one(predictor, image) for image in images(8)]
    together = Barrier(8)

    def work(image):
        together.wait()
        return [one(predictor, image) for _ in range(3)]

    with ThreadPoolExecutor(8) as pool:
        for answers, serial in zip(pool.map(work, images(8)), expected, strict=True):
            assert answers == [serial] * 3
    predictor.close()


def test_an_image_belongs_to_the_thread_that_set_it(tiny_bundle):
    predictor = Predictor(tiny_bundle, backend="onnxruntime", threads=1)
    predictor.set_image(images(1)[0])
    with ThreadPoolExecutor(1) as pool, pytest.raises(LiteMedSamError, match="no image is set in this thread"):
        pool.submit(predictor.predict, BOXES).result()
    assert len(predictor.predict(BOXES).masks) == 3
    predictor.close()
    with pytest.raises(LiteMedSamError, match="no image is set"):
        predictor.predict(BOXES)
