"""Draw the README's picture of the page: the phantom's volume with its two boxes, in a real Chromium.

python examples/make_page.py [PNG]

Needs ``litemedsam[serve,test]``, chromium and chromium-driver.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from browser import Browser  # noqa: E402

# Width, height and size of a pixel in mm of each plane of the volume.
PLANES = {"axial": (112, 128, 1, 1), "coronal": (112, 16, 1, 4), "sagittal": (128, 16, 1, 4)}
NAMES = ("bright organ", "dark organ")


def write_volume(path: Path) -> np.ndarray:
    """The phantom's volume as NIfTI; its boxes."""
    with np.load(HERE / "3DBox_phantom.npz") as case:
        affine = np.diag([-case["spacing"][0], -case["spacing"][1], case["spacing"][2], 1])
        nibabel.Nifti1Image(case["imgs"].transpose(), affine).to_filename(path)
        boxes: np.ndarray = case["boxes"]
        return boxes


def draw(browser: Browser, box: np.ndarray, objects: int, name: str) -> None:
    """Draw one box, set its slices in the coronal view, and name it."""
    x0, y0, z0, x1, y1, z1 = (float(number) for number in box)
    # From the corner that lies further from the other box, whose handles take drags that begin near them.
    browser.drag("axial", (x1 + 0.5, y1 + 0.5), (x0 + 0.5, y0 + 0.5))
    browser.until(lambda: len(browser.all("#objects li")) == objects, "the object")
    browser.settled(objects)
    # From superior to inferior, beside the box.
    browser.drag("coronal", (108.5, 15 - z1 + 0.5), (108.5, 15 - z0 + 0.5))
    wanted = f"slices {z0 + 1:.0f}–{z1 + 1:.0f}"
    browser.until(lambda: wanted in browser.settled(objects)[-1], wanted)
    browser.find("#objects li:last-child .name").send_keys(f"{name}\n")


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        boxes = write_volume(Path(folder) / "phantom.nii.gz")
        command = [Path(sys.executable).parent / "litemedsam-serve", folder, "--port", "0", "--no-browser"]
        with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True) as server:
            browser = Browser(Path(folder), (1280, 720))
            try:
                said = server.stdout.readline() if server.stdout else ""
                browser.open(re.findall(r"http://\S+", said)[0])
                browser.choose("phantom.nii.gz", PLANES)
                for number, (box, name) in enumerate(zip(boxes, NAMES, strict=True), start=1):
                    draw(browser, box, number, name)
                browser.until(lambda: browser.find("#busy").get_attribute("hidden"), "all masks")
                browser.loaded()
                browser.picture(target)
            finally:
                browser.close()
                server.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "page.png")
