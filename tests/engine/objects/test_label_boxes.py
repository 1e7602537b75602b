"""The boxes of labels and of their pieces."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from litemedsam.engine.objects.label_boxes import piece_boxes, tight_boxes
from scipy import ndimage


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.6))
def test_pieces_are_scipy_s(seed, density):
    mask = np.random.default_rng(seed).random((4, 7, 8)) < density
    structure = np.zeros((3, 3, 3), bool)
    structure[1] = True
    structure[:, 1, 1] = True
    numbers, count = ndimage.label(mask, structure)
    boxes = {}
    for k in range(1, count + 1):
        z, y, x = np.nonzero(numbers == k)
        boxes[k] = [x.min(), y.min(), z.min(), x.max(), y.max(), z.max()]
    assert tight_boxes(numbers) == boxes
    assert sorted(piece_boxes(mask)) == sorted(boxes.values())
