"""Objects' colours: bright, and far apart for neighbouring numbers."""

from colorsys import rgb_to_hsv

from litemedsam.engine.scan.colours import colour


def hue(number: int) -> float:
    return rgb_to_hsv(*(level / 255 for level in colour(number)))[0]


def test_neighbours_differ_in_hue_and_all_are_bright():
    for number in range(1, 60):
        assert max(colour(number)) == 255
        # Hues lie on a circle.
        for other in (number + 1, number + 2):
            apart = abs(hue(number) - hue(other))
            assert min(apart, 1 - apart) > 0.2
    assert len({colour(number) for number in range(1, 60)}) == 59


def test_the_first_object_is_neither_grey_nor_the_colour_of_skin():
    red, green, blue = colour(1)
    assert red < 100 < 200 < min(green, blue)
