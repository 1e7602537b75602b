"""A real Chromium without a screen, as a user drives it: mouse, keys, downloads."""

import shutil
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
_PATIENCE_SECONDS = 40
# Errors that a test provokes would be listed under "network"; all others are the page's own.
_QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
# Of Chromium's protocol.
_MODIFIERS = {Keys.ALT: 1, Keys.CONTROL: 2, Keys.SHIFT: 8}


class Browser:
    """One window.

    Parameters
    ----------
    downloads : Path
        Where files are saved.
    size : tuple of int
        Of the window in pixels.
    dark : bool
        Which colours the user prefers.
    """

    def __init__(self, downloads: Path, size: tuple[int, int] = (1280, 720), dark: bool = False):
        options = Options()
        options.binary_location = CHROMIUM or ""
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *_QUIET):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # A question on leaving is left to the test.
        options.set_capability("unhandledPromptBehavior", "ignore")
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        self.downloads = downloads
        self.driver = webdriver.Chrome(options, Service(DRIVER))
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})

    def until(self, condition: Callable[[], Any], what: str = "") -> Any:
        """The first true value of a condition; fails after forty seconds."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"not in time: {what}")

    def find(self, selector: str) -> Any:
        """The first element of a CSS selector."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        """All elements of a CSS selector."""
        found: list[Any] = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return found

    def script(self, code: str, *arguments: Any) -> Any:
        """The value of a script's return."""
        return self.driver.execute_script(code, *arguments)

    def keys(self, *keys: str) -> None:
        """Press keys together, on what has the focus."""
        chain = ActionChains(self.driver)
        for key in keys[:-1]:
            chain.key_down(key)
        chain.send_keys(keys[-1])
        for key in keys[:-1]:
            chain.key_up(key)
        chain.perform()

    def place(self, plane: str, column: float, row: float) -> tuple[float, float]:
        """Where on the screen a pixel of a plane's picture lies, without zoom."""
        code = """
        const view = document.querySelector(`[data-plane=${arguments[0]}]`), canvas = view.querySelector("canvas");
        const frame = canvas.getBoundingClientRect(), [w, h, pw, ph] = arguments[3];
        const fit = Math.min(frame.width / (w * pw), frame.height / (h * ph));
        return [frame.left + (frame.width - w * pw * fit) / 2 + arguments[1] * pw * fit,
                frame.top + (frame.height - h * ph * fit) / 2 + arguments[2] * ph * fit];
        """
        x, y = self.script(code, plane, column, row, self.planes[plane])
        return x, y

    def drag(self, plane: str, start: tuple[float, float], end: tuple[float, float], *held: str) -> None:
        """Drag with the left button from one pixel of a plane's picture to another, while some keys are held."""
        (x0, y0), (x1, y1) = self.place(plane, *start), self.place(plane, *end)
        modifiers = sum(_MODIFIERS[key] for key in held)
        self._mouse("mouseMoved", x0, y0, 0, modifiers)
        self._mouse("mousePressed", x0, y0, 1, modifiers)
        for share in (0.3, 0.7, 1):
            self._mouse("mouseMoved", x0 + share * (x1 - x0), y0 + share * (y1 - y0), 1, modifiers)
        self._mouse("mouseReleased", x1, y1, 0, modifiers)

    def scroll(self, plane: str, by: int) -> None:
        """Turn the wheel over a plane by some notches."""
        x, y = self.place(plane, 1, 1)
        for _ in range(abs(by)):
            given = {"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": 100 if by > 0 else -100}
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", given)

    def _mouse(self, kind: str, x: float, y: float, buttons: int, modifiers: int = 0) -> None:
        given = {"type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1}
        given["modifiers"] = modifiers
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", given)

    def open(self, address: str) -> None:
        """Go to a page of the server."""
        self.driver.get(address)

    def choose(self, name: str, planes: dict[str, tuple[float, float, float, float]]) -> None:
        """Open an offered scan; `planes` gives width, height and the size of a pixel of each plane."""
        self.planes = planes
        code = """const all = [...document.querySelectorAll("#files button")];
        const found = all.find((each) => each.textContent === arguments[0]);
        found?.click(); return Boolean(found)"""
        self.until(lambda: self.script(code, name), f"{name} in the list of files")
        self.until(lambda: self.find("#scan-name").text == name.rpartition("/")[2], "the scan")
        self.until(lambda: len(self.all(".view")) == len(planes), "the views")
        self.loaded()

    def loaded(self) -> None:
        """Wait until all views show their slice."""
        code = """return [...document.querySelectorAll(".view")].every((view) => {
            const slider = view.querySelector("input[type=range]");
            return view.dataset.shown !== "" && (!slider || view.dataset.shown === slider.value);
        })"""
        self.until(lambda: self.script(code), "the slices")

    def settled(self, objects: int) -> list[str]:
        """Wait for the masks of so many objects; their lines of figures."""

        def lines() -> list[str] | None:
            found = self.script("return [...document.querySelectorAll('#objects .figures')].map((e) => e.textContent)")
            ready = len(found) == objects and not any("computing" in text for text in found)
            return [*found, "ready"] if ready else None

        found: list[str] = self.until(lines, f"{objects} masks")[:-1]
        return found

    def pixel(self, plane: str, column: float, row: float) -> tuple[int, int, int]:
        """The colour on screen at a pixel of a plane's picture."""
        x, y = self.place(plane, column, row)
        shot = Image.open(BytesIO(self.driver.get_screenshot_as_png())).convert("RGB")
        red, green, blue = np.asarray(shot)[round(y), round(x)].tolist()
        return red, green, blue

    def save(self, form: str) -> Path:
        """Save in a format; the file."""
        before = set(self.downloads.iterdir())
        self.find("#save").click()
        self.find(f"#formats input[value={form}]").click()
        self.find("#save-now").click()

        def new() -> Path | None:
            found = [path for path in self.downloads.iterdir() if path not in before]
            # The name is taken by an empty file before the content comes.
            whole = [path for path in found if path.name[0] != "." and path.suffix != ".crdownload"]
            whole = [path for path in whole if path.stat().st_size]
            return whole[0] if whole else None

        saved: Path = self.until(new, "the download")
        return saved

    def complaints(self) -> list[str]:
        """What the console holds beside plain information."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] != "INFO"]

    def picture(self, path: Path) -> None:
        """Save a picture of the window."""
        self.driver.save_screenshot(str(path))

    def close(self) -> None:
        """End the browser."""
        self.driver.quit()
