"""Objects cut out of a label map, and two of them on one grid."""

import numpy as np
import pytest
from litemedsam.evaluation.pieces import Piece, pieces_of, together


def test_one_mask_and_none_lie_on_the_one_s_grid():
    labels = np.zeros((5, 6), np.uint16)
    labels[1:3, 2:5] = 1
    piece = pieces_of(labels)[1]
    for pair, which in (((piece, None), 0), ((None, piece), 1)):
        masks = together(*pair)
        assert masks[which].all()
        assert not masks[1 - which].any()
        assert masks[0].shape == masks[1].shape == (2, 3)


@pytest.mark.parametrize("shape", [(9, 11), (4, 9, 11)])
def test_pieces_are_the_label_map(shape):
    labels = np.random.default_rng(0).choice(np.array([0, 0, 0, 2, 5, 300], np.uint16), shape)
    pieces = pieces_of(labels)
    assert list(pieces) == [2, 5, 300]
    again = np.zeros_like(labels)
    for label, piece in pieces.items():
        window = tuple(slice(p, p + n) for p, n in zip(piece.start, piece.mask.shape, strict=True))
        again[window][piece.mask] = label
    np.testing.assert_array_equal(again, labels)


def test_two_pieces_lie_on_the_smallest_grid_of_both():
    a, b = Piece((2, 5), np.ones((2, 3), bool)), Piece((3, 1), np.ones((4, 5), bool))
    one, other = together(a, b)
    assert one.shape == other.shape == (5, 7)
    assert one[:2, 4:].all()
    assert one.sum() == 6
    assert other[1:, :5].all()
    assert other.sum() == 20
    with pytest.raises(ValueError, match="no grid"):
        together(None, None)
