"""Times what a user of the server's page sees, in Chromium without a screen.

Needs Selenium, Chromium and its driver: ``pip install selenium``, ``apt-get install chromium chromium-driver``.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_WORDS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
# Milliseconds from the release of the button to the frame in which the canvas has another colour at a place.
_WATCH = """
const canvas = document.querySelector("[data-plane=axial] canvas"), [x, y] = arguments;
const frame = canvas.getBoundingClientRect(), scale = canvas.width / frame.width;
const place = [(x - frame.left) * scale, (y - frame.top) * scale, 1, 1];
const colour = () => [...canvas.getContext("2d").getImageData(...place).data];
window.milliseconds = null;
canvas.addEventListener("pointerup", () => {
  const start = performance.now(), before = colour();
  const look = () => {
    // The picture moves by a fraction of a pixel when the list of objects grows.
    if (Math.max(...colour().map((value, k) => Math.abs(value - before[k]))) < 9) requestAnimationFrame(look);
    else window.milliseconds = performance.now() - start;
  };
  requestAnimationFrame(look);
}, { once: true });
"""


@contextmanager
def opened_page(address: str, scan: str) -> Iterator[Chrome]:
    """The page of a server, with a scan opened.

    Parameters
    ----------
    address : str
        Of the page, with its token.
    scan : str
        Its name in the list of files.
    """
    from selenium.webdriver import Chrome
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.support.wait import WebDriverWait

    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for word in _WORDS:
        options.add_argument(word)
    driver = Chrome(options, Service(shutil.which("chromedriver")))
    try:
        driver.get(address)
        opening = (
            "const file = [...document.querySelectorAll('#files button')].find((e) => e.textContent === arguments[0]);"
        )
        WebDriverWait(driver, 20).until(lambda _: driver.execute_script(f"{opening} file?.click(); return file", scan))
        shown = "return document.querySelector('[data-plane=axial]')?.dataset.shown"
        WebDriverWait(driver, 60).until(lambda _: driver.execute_script(shown))
        yield driver
    finally:
        driver.quit()


def seconds_to_mask(driver: Chrome, k: int, reach: float, drag: float = 0.0) -> float:
    """Seconds from the release of the button that draws a box on an axial slice until the mask is on screen.

    Parameters
    ----------
    driver : selenium.webdriver.Chrome
        Of `opened_page`.
    k : int
        The slice.
    reach : float
        Half of the box's side, as a share of the view's smaller side.
    drag : float
        Seconds that the hand takes.
    """
    from selenium.webdriver.support.wait import WebDriverWait

    turning = """const slider = document.querySelector("[data-plane=axial] input[type=range]");
    slider.value = arguments[0]; slider.dispatchEvent(new Event("input"));"""
    driver.execute_script(turning, k)
    shown = "return document.querySelector('[data-plane=axial]').dataset.shown"
    WebDriverWait(driver, 20).until(lambda _: driver.execute_script(shown) == str(k))
    frame = driver.execute_script(
        "const f = document.querySelector('[data-plane=axial] canvas').getBoundingClientRect();"
        "return [f.left, f.top, f.width, f.height]"
    )
    x, y, side = frame[0] + frame[2] / 2, frame[1] + frame[3] / 2, reach * min(frame[2:])
    # Beside the crosshair.
    driver.execute_script(_WATCH, x + side / 3, y + side / 4)
    _mouse(driver, "mouseMoved", x - side, y - side, 0)
    _mouse(driver, "mousePressed", x - side, y - side, 1)
    for share in (0.3, 1, 2):
        time.sleep(drag / 3)
        _mouse(driver, "mouseMoved", x + (share - 1) * side, y + (share - 1) * side, 1)
    _mouse(driver, "mouseReleased", x + side, y + side, 0)
    told: float = WebDriverWait(driver, 20).until(lambda _: driver.execute_script("return window.milliseconds"))
    return told / 1000


def _mouse(driver: Chrome, kind: str, x: float, y: float, buttons: int) -> None:
    given: dict[str, Any] = {"type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1}
    driver.execute_cdp_cmd("Input.dispatchMouseEvent", given)
