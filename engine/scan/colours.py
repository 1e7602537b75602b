"""The colours that objects have in pictures and in viewers."""

from colorsys import hsv_to_rgb

_GOLDEN = 0.618034
# The first is a bright cyan, which neither grey nor skin has; the blues are light.
_START = 0.85
_SATURATION = 0.65


def colour(number: int) -> tuple[int, int, int]:
    """A bright colour (red, green, blue), 0..255, for an object's number; neighbours in number are far apart in hue."""
    red, green, blue = hsv_to_rgb((_START + number * _GOLDEN) % 1, _SATURATION, 1)
    return round(255 * red), round(255 * green), round(255 * blue)
