"""The first window on screen is close to what the model sees; padding is black, inverted values are turned."""

import cv2
import numpy as np
import pytest
from litemedsam.engine.scan.intensity import Percentiles, Window, scaling_named
from litemedsam.engine.scan.scan import Scan
from litemedsam.server.sessions.display import Display
from litemedsam.server.sessions.planes import planes_of

from litemedsam import LiteMedSamError


def shown(scan, scaling=None, window=(None, None)):
    view = scan.view()
    display = Display.of(scan, view, scaling)
    (plane, *_) = planes_of(view.see(scan.voxels).shape[:2], view, None, None)
    return display, cv2.imdecode(np.frombuffer(display.picture(plane, 0, *window), np.uint8), cv2.IMREAD_UNCHANGED)


def test_percentiles_on_screen_are_those_of_the_model():
    values = np.random.default_rng(0).normal(900, 200, (40, 50)).clip(0).astype(np.int16)
    scan = Scan("scan", values, False, modality="MR")
    _, page = shown(scan)
    np.testing.assert_allclose(page, Percentiles().pixels("scan", values), atol=1)


@pytest.mark.parametrize(("modality", "taken"), [("CT", True), ("", True), ("MR", False)])
def test_hounsfield_units_start_with_the_model_s_window(modality, taken):
    values = np.linspace(-1000, 1000, 2000).reshape(40, 50).astype(np.int16)
    display, page = shown(Scan("scan", values, False, modality=modality))
    assert display.hounsfield == taken
    if taken:
        assert (display.level, display.width) == (40, 400)
        np.testing.assert_allclose(page, Window(40, 400).pixels("scan", values), atol=1)


def test_a_window_for_the_model_is_the_first_on_screen():
    values = np.linspace(-1000, 1000, 2000).reshape(40, 50).astype(np.int16)
    display, _ = shown(Scan("scan", values, False, modality="CT"), scaling_named("-600,1500"))
    assert (display.level, display.width) == (-600, 1500)


def test_padding_is_black_and_inverted_values_are_turned():
    values = np.arange(200, dtype=np.uint8).reshape(10, 20)
    padding = values > 150
    _, page = shown(Scan("scan", values, False, inverted=True, padding=padding))
    np.testing.assert_array_equal(page, np.where(padding, 0, 255 - values))


def test_colours_stay_and_deep_colours_are_windowed():
    colours = np.arange(600, dtype=np.uint8).reshape(10, 20, 3)
    display, page = shown(Scan("scan", colours, False))
    assert display.fixed
    np.testing.assert_array_equal(page[..., ::-1], colours)
    deep, page = shown(Scan("scan", colours.astype(np.uint16) * 200, False), None, (25500.0, 51000.0))
    assert not deep.fixed
    np.testing.assert_allclose(page[..., ::-1], colours, atol=1)


@pytest.mark.parametrize("window", [(0.0, 0.0), (0.0, -1.0), (np.inf, 1.0), (0.0, 1e12)])
def test_windows_that_make_no_sense_are_refused(window):
    with pytest.raises(LiteMedSamError, match="above 0"):
        shown(Scan("scan", np.zeros((4, 5), np.uint8), False), None, window)


def test_an_empty_image_has_a_window():
    display, page = shown(Scan("scan", np.zeros((4, 5), np.int16), False, modality="MR"))
    assert display.width > 0
    assert not page.any()
