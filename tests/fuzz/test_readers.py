"""Damaged and malicious files end in a result or a refusal, in bounded time and memory."""

import zipfile

import pytest
from fuzz.process import HERE, survive
from fuzz.readers import READERS

# Damaged copies per reader; those whose reading takes longest are fewest.
COUNTS = {
    "npz": 600,
    "nifti": 300,
    "dicom": 200,
    "picture": 500,
    "nrrd": 300,
    "metaimage": 300,
    "boxes": 400,
    "metadata": 300,
    "bundle": 30,
    "checkpoint": 100,
    "nnia": 300,
}


@pytest.mark.parametrize("reader", READERS)
def test_the_corpus_and_what_is_made_of_it(reader):
    corpus = sorted((HERE / "corpus" / reader).iterdir())
    told = survive(reader, *corpus, "--damaged", COUNTS[reader])
    inputs, refusals = int(told.split()[0]), int(told.split()[2])
    assert inputs == len(corpus) + COUNTS[reader]
    # Not everything is refused, nor everything taken.
    assert refusals > 0


@pytest.mark.parametrize("reader", sorted(path.stem for path in (HERE / "reached").iterdir()))
def test_what_guided_fuzzing_reached(reader, tmp_path):
    zipfile.ZipFile(HERE / "reached" / f"{reader}.zip").extractall(tmp_path)
    seed = min((HERE / "corpus" / reader).iterdir())
    inputs = sorted(tmp_path.iterdir())
    assert int(survive(reader, seed, *inputs).split()[0]) == 1 + len(inputs)


def test_at_least_two_thousand_inputs():
    assert sum(COUNTS.values()) + sum(path.is_file() for path in (HERE / "corpus").rglob("*")) >= 2000
