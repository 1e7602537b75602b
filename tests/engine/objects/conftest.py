"""The volume whose objects are asked for."""

import nibabel
import numpy as np
import pytest
from litemedsam.engine.io.formats import FORMATS
from object_files import GRID


@pytest.fixture
def scan(tmp_path):
    """A volume of 30 × 20 × 6 voxels of 2 × 1 × 3 mm, x towards left, y towards anterior, z towards superior."""
    volume = np.arange(np.prod(GRID), dtype=np.int16).reshape(GRID)
    affine = np.array([[-2.0, 0, 0, 10], [0, 1, 0, -5], [0, 0, 3, 7], [0, 0, 0, 1]])
    nibabel.Nifti1Image(volume.transpose(), affine).to_filename(tmp_path / "scan.nii.gz")
    return FORMATS["nifti"].read(tmp_path / "scan.nii.gz")
