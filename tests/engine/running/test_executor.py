"""One process: each case in its turn, with the steps of each."""

import pytest
from litemedsam.engine.running.executor import Local
from litemedsam.engine.running.options import Options
from litemedsam.engine.running.reporters import Lines

from litemedsam import Predictor


class Told(Lines):
    """Notes the steps of every case."""

    def __init__(self):
        super().__init__(False, True)
        self.steps = []

    def progress(self, case):
        return lambda done, total: self.steps.append((case.name, done, total))


@pytest.fixture(scope="module")
def predictor(tiny_bundle):
    with Predictor(tiny_bundle, "onnxruntime", threads=1) as made:
        yield made


def test_cases_come_in_order_and_none_before_it_is_asked_for(predictor, scans, tmp_path):
    cases = [scans / "flat.npz", scans / "absent.npz", scans / "volume.npz"]
    tell = Told()
    reports = Local(predictor).reports(cases, Options(tmp_path), tell)
    assert next(reports).case == str(cases[0])
    assert [path.name for path in tmp_path.iterdir()] == ["flat.npz"]
    assert tell.steps == [("flat.npz", 1, 3), ("flat.npz", 2, 3), ("flat.npz", 3, 3)]
    failed, volume = reports
    assert "absent.npz: " in failed.error
    assert (volume.case, volume.error) == (str(cases[2]), "")
    assert tell.steps[-1] == ("volume.npz", 3, 3)
