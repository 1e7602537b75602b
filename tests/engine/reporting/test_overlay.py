"""Pictures and films of results."""

import cv2
import numpy as np
import pytest
from litemedsam.engine.reporting.overlay import FILMS, draw

from litemedsam import LiteMedSamError


def test_films_and_pictures(infer, scans, tmp_path, tiny_bundle):
    infer(scans / "volume.npz", "--overlay", "mp4")
    film_path = tmp_path / "results" / "volume.mp4"
    assert cv2.VideoCapture(str(film_path)).get(cv2.CAP_PROP_FRAME_COUNT) == 3
    infer("--overlay", scans / "slice.png", "--box", "9,13,29,30")
    assert (tmp_path / "results" / "slice.overlay.png").is_file()


def test_a_film_that_cannot_be_written_is_told_of(monkeypatch):
    class Nothing:
        def write(self, frame):
            pass

        def release(self):
            pass

    class Cv2:
        VideoWriter = staticmethod(lambda *_: Nothing())

    Cv2.VideoWriter.fourcc = cv2.VideoWriter.fourcc
    from litemedsam.engine.reporting import overlay as module

    monkeypatch.setattr(module, "cv2", Cv2)
    with pytest.raises(LiteMedSamError, match="OpenCV cannot write mp4 here; use --overlay gif"):
        FILMS["mp4"](iter([np.zeros((8, 8, 3), np.uint8)]))


def test_pictures_keep_the_scan_s_proportions():
    labels = np.zeros((10, 20), np.uint8)
    assert draw(labels, labels, {}, 40).shape == (20, 40, 3)
    assert draw(labels, labels, {}, 40, (1.0, 2.0)).shape == (40, 40, 3)
