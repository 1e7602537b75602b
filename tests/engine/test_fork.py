"""Start methods of processes: nothing hangs, whatever the parent did before."""

import subprocess
import sys

import pytest

PROGRAM = """
import multiprocessing, sys
import numpy as np
from litemedsam import LiteMedSamError, Predictor

bundle, backend, method, state = sys.argv[1:5]
image = np.arange(40 * 50, dtype=np.uint8).reshape(40, 50)
inherited = []

def segmented(k):
    try:
        predictor = Predictor(bundle, backend, "f32", threads=2)
        return predictor.segment(image, [[1, 1, 30, 30]]).labels.tobytes()
    except LiteMedSamError as error:
        return str(error)

def with_the_parents(k):
    try:
        return inherited[0].segment(image, [[1, 1, 30, 30]]).labels.tobytes()
    except LiteMedSamError as error:
        return str(error)

if __name__ == "__main__":
    if state != "fresh":
        inherited.append(Predictor(bundle, backend, "f32", threads=2))
        expected = inherited[0].segment(image, [[1, 1, 30, 30]]).labels.tobytes()
        if state == "closed":
            inherited[0].close()
    with multiprocessing.get_context(method).Pool(2) as pool:
        answers = pool.map(segmented, range(2))
        if method == "fork" and state != "fresh":
            answers += pool.map(with_the_parents, range(2))
    if state == "fresh":
        expected = segmented(0)
    for answer in answers:
        print("same" if answer == expected else answer)
"""


def run(tmp_path, *arguments) -> list[str]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("state", ["fresh", "used", "closed"])
@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_children_answer_or_say_spawn(tmp_path, untrained_bundle, backend, method, state):
    lines = run(tmp_path, untrained_bundle, backend, method, state)
    if method != "fork" or state == "fresh":
        assert lines == ["same", "same"]
        return
    own, parents = lines[:2], lines[2:]
    if backend == "onnxruntime":
        assert own == ["same", "same"]
    else:
        assert all(line.startswith("OpenVINO was used before this process was forked") for line in own)
        assert all('get_context("spawn")' in line for line in own)
    assert len(parents) == 2
    assert all(line.startswith("a predictor was made before this process was forked") for line in parents)
    assert all('get_context("spawn")' in line for line in parents)
