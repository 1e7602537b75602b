"""Writes docs/dependencies.md: the packages beside this one, with version, licence and purpose.

    python docker/list_dependencies.py

Versions come from docker/requirements.txt, which must be installed; licences come from the packages' metadata.
"""

import re
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "docs" / "dependencies.md"
IN_THE_IMAGE = ("images", "dicom", "nrrd", "serve")
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
# Packages write the same licence in many ways.
_SPELLINGS = {
    "Apache 2.0": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Apache Software License": "Apache-2.0",
    "OSI Approved :: Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "BSD 3-Clause": "BSD-3-Clause",
}
_WHERE = {
    "openvino-telemetry": "never loaded, and not in the image",
    "click": "command lines",
    "numpy": "arrays",
    "opencv-python-headless": "resizing, drawing, components",
    "openvino": "runs the graphs",
    "onnxruntime": "runs the graphs",
    "nibabel": "NIfTI",
    "tqdm": "progress bars",
    "starlette": "the server, with the extra serve",
    "uvicorn": "the server, with the extra serve",
    "python-multipart": "the server, with the extra serve",
    "pydicom": "DICOM, with the extra dicom",
    "highdicom": "DICOM segmentations, with the extra dicom",
    "pillow": "pictures, with the extra images",
    "pynrrd": "NRRD, with the extra nrrd",
}


def pinned() -> dict[str, str]:
    """Versions in the image, by name."""
    return dict(_PIN.findall((ROOT / "docker" / "requirements.txt").read_text()))


def licence(package: str) -> str:
    """A package's licence, as an SPDX expression where it gives one."""
    said = metadata(package)
    own = said.get("License-Expression") or said.get("License") or ""
    if not own or len(own) > 80 or "\n" in own:
        classes = [
            line.rsplit(" :: ", 1)[-1] for line in said.get_all("Classifier") or [] if line.startswith("License")
        ]
        own = classes[0] if classes else own.splitlines()[0].strip() if own else "not said"
    return _SPELLINGS.get(own, own)


def _asked_by(names: list[str]) -> dict[str, list[str]]:
    """For each package, the packages that need it."""
    parents: dict[str, list[str]] = {name: [] for name in names}
    for parent in names:
        for line in requires(parent) or []:
            child = _NAME.match(line)[0].lower().replace("_", "-")
            if child in parents and "extra ==" not in line:
                parents[child].append(parent)
    return parents


def optional() -> dict[str, list[str]]:
    """Packages of the extras, by the extra; those of the tests and of the image left out."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    extras = dict(parser["options.extras_require"])
    return {
        extra: [line for line in lines.split() if not line.startswith("litemedsam")]
        for extra, lines in extras.items()
        if extra not in ("test", "all", *IN_THE_IMAGE)
    }


def page() -> str:
    """The whole of docs/dependencies.md."""
    versions = pinned()
    parents = _asked_by(list(versions))
    rows = [
        f"| {name} | {number} | {licence(name)} | {_WHERE.get(name) or 'needed by ' + ', '.join(parents[name])} |"
        for name, number in versions.items()
    ]
    others = []
    for extra, lines in optional().items():
        for line in lines:
            name = _NAME.match(line)[0]
            others.append(f"| {name} | {line[len(name) :]} | {licence(name)} | `litemedsam[{extra}]` |")
    return "\n".join(
        [
            "# Dependencies",
            "",
            "These packages are installed with `litemedsam[all,serve]`, in the versions of the image",
            "(`docker/requirements.txt`, by hash); without an extra, its packages are left out.",
            "`python docker/list_dependencies.py` writes this page, and a test compares the two.",
            "`pip-audit --require-hashes -r docker/requirements.txt` looks for known weaknesses; it needs the network.",
            "",
            "| package | version | licence | for |",
            "|---|---|---|---|",
            *rows,
            "",
            "Only with an extra:",
            "",
            "| package | version | licence | extra |",
            "|---|---|---|---|",
            *others,
            "",
            "None of them reports over the network. OpenVINO would report through `openvino_telemetry`, which is",
            "never loaded. ONNX Runtime would report by itself; an environment variable, set before its import,",
            "switches this off. A test runs both in a process that would die on opening an Internet socket.",
            "",
        ]
    )


def main() -> None:
    versions = pinned()
    for name, number in versions.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name} is not installed; pip install -r docker/requirements.txt") from None
        if installed != number:
            raise SystemExit(
                f"{name} {installed} is installed, expected {number}; pip install -r docker/requirements.txt"
            )
    LIST.write_text(page())


if __name__ == "__main__":
    main()
