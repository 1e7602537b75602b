"""Paths of the tests' material."""

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
# Recorded outputs and real images, kept beside the project; tests that need them skip where they are absent.
SHARED = Path(os.environ.get("LITEMEDSAM_SHARED", ROOT.parent / "shared"))
GOLDEN = SHARED / "golden"
DATA = SHARED / "data"
PUBLIC = DATA / "public"

needs_shared = pytest.mark.skipif(not GOLDEN.is_dir(), reason="recorded outputs are not beside the project")
needs_data = pytest.mark.skipif(not PUBLIC.is_dir(), reason="real scans are not beside the project")


def unpack_scribbles(packed: np.ndarray) -> np.ndarray:
    """Recorded scribbles (n, 256, 256) bool from their packed form (n, 256, 32)."""
    return np.unpackbits(packed, axis=-1).astype(bool)
