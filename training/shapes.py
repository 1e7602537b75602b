"""Random outlines, surfaces and strokes, the parts of the synthetic scenes."""

import cv2
import numpy as np

_SUBPIXEL_BITS = 4
_OUTLINE_POINTS = 72


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> np.ndarray:
    """Noise without detail below the size of a cell.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (H, W).
    cell : float
        Distance of independent values in pixels; below 1.5, the noise is white.

    Returns
    -------
    ndarray
        float32 (H, W), mean about 0, standard deviation about 1 for many cells.
    """
    if cell < 1.5:
        return rng.standard_normal(shape, np.float32)
    rows, columns = (int(side / cell) + 3 for side in shape)
    grid = rng.standard_normal((rows, columns), np.float32)
    field = cv2.resize(grid, (int(columns * cell) + 1, int(rows * cell) + 1), interpolation=cv2.INTER_CUBIC)
    top, left = (int(rng.integers(int(cell) + 1)) for _ in range(2))
    return 1.3 * field[top : top + shape[0], left : left + shape[1]]


def texture(rng: np.random.Generator, shape: tuple[int, int], finest: float = 1.0) -> np.ndarray:
    """Noise of two to four octaves, at times stretched along one direction.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (H, W).
    finest : float
        Smallest cell in pixels.

    Returns
    -------
    ndarray
        float32 (H, W), mean about 0, standard deviation about 1.
    """
    total = np.zeros(shape, np.float32)
    power = 0.0
    longest = max(shape) / 2
    for _ in range(int(rng.integers(2, 5))):
        cell = float(np.exp(rng.uniform(np.log(finest), np.log(max(longest, finest + 1)))))
        weight = rng.uniform(0.3, 1)
        total += weight * smooth_noise(rng, shape, cell)
        power += weight**2
    if rng.random() < 0.15:
        size = int(rng.integers(3, 12))
        total = cv2.blur(total, (size, 1) if rng.random() < 0.5 else (1, size)) * 1.5
    return total / np.float32(np.sqrt(power))


def filled(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The inside of a closed outline.

    Parameters
    ----------
    points : ndarray
        (k, 2), x, y in pixels, may lie outside the image.
    shape : tuple of int
        (H, W).

    Returns
    -------
    ndarray
        bool (H, W).
    """
    canvas = np.zeros(shape, np.uint8)
    corners = np.rint(points * 2**_SUBPIXEL_BITS).astype(np.int32)
    cv2.fillPoly(canvas, [corners], 1, shift=_SUBPIXEL_BITS)
    return canvas.view(bool)


def ellipse_outline(centre: tuple[float, float], radii: tuple[float, float], angle: float) -> np.ndarray:
    """Outline float64 (k, 2) of an ellipse, x first; `angle` in radians."""
    return _placed(np.ones(_OUTLINE_POINTS, np.float32), centre, radii, angle)


def _angles() -> np.ndarray:
    return np.linspace(0, 2 * np.pi, _OUTLINE_POINTS, endpoint=False, dtype=np.float32)


def _placed(
    radius: np.ndarray, centre: tuple[float, float], radii: tuple[float, float], angle: float, bend: float = 0.0
) -> np.ndarray:
    theta = _angles()
    x, y = radius * np.cos(theta), radius * np.sin(theta)
    y = y + bend * (x * x - 0.4)
    x, y = x * radii[0], y * radii[1]
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([centre[0] + c * x - s * y, centre[1] + s * x + c * y], axis=1)


def irregular_outline(
    rng: np.random.Generator, centre: tuple[float, float], radii: tuple[float, float], roughness: float
) -> np.ndarray:
    """A wavy outline around a centre, at times bent or nearly square.

    Parameters
    ----------
    rng : numpy.random.Generator
    centre, radii : tuple of float
        x first, in pixels.
    roughness : float
        0 is smooth, 1 has deep notches.

    Returns
    -------
    ndarray
        float32 (k, 2), x, y.
    """
    theta = _angles()
    radius = np.ones_like(theta)
    if rng.random() < 0.3:
        power = rng.uniform(2.2, 6)
        radius = (np.abs(np.cos(theta)) ** power + np.abs(np.sin(theta)) ** power) ** (-1 / power)
    fall = rng.uniform(0.8, 1.8)
    for k in range(2, int(rng.integers(4, 14))):
        radius = radius + roughness * rng.normal(0, 0.35) / k**fall * np.cos(k * theta + rng.uniform(0, 2 * np.pi))
    bend = rng.normal(0, 0.6) if rng.random() < 0.3 else 0.0
    return _placed(np.maximum(radius, 0.15), centre, radii, rng.uniform(0, 2 * np.pi), bend)


def blob(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centre: tuple[float, float],
    radius: float,
    roughness: float | None = None,
) -> np.ndarray:
    """One random object: an ellipse, a wavy, cut or hollow shape, or a cloud with a ragged edge.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (H, W).
    centre : tuple of float
        x, y in pixels.
    radius : float
        Mean radius in pixels.
    roughness : float, optional
        As in `irregular_outline`; random by default.

    Returns
    -------
    ndarray
        bool (H, W); may be empty.
    """
    stretch = np.exp(rng.normal(0, 0.3))
    radii = (radius * stretch, radius / stretch)
    kind = rng.random()
    if kind < 0.3:
        return filled(ellipse_outline(centre, radii, rng.uniform(0, np.pi)), shape)
    amount = rng.uniform(0.1, 0.9) if roughness is None else roughness
    mask = filled(irregular_outline(rng, centre, radii, amount), shape)
    if kind < 0.72:
        return mask
    if kind < 0.82:
        heading = rng.uniform(0, 2 * np.pi)
        away = radius * rng.uniform(0.7, 1.2)
        bite = (centre[0] + away * np.cos(heading), centre[1] + away * np.sin(heading))
        return mask & ~filled(irregular_outline(rng, bite, (radius, radius * rng.uniform(0.6, 1.2)), 0.2), shape)
    if kind < 0.9:
        return mask & half_plane(rng, shape, centre, radius * rng.uniform(-0.2, 0.6))
    ragged = smooth_noise(rng, shape, max(radius / rng.uniform(2, 6), 1.6))
    inside = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(radius / 4, 0.6))
    return inside + 0.15 * ragged > 0.5


def half_plane(
    rng: np.random.Generator, shape: tuple[int, int], centre: tuple[float, float], distance: float
) -> np.ndarray:
    """Pixels bool (H, W) on the near side of a random line, at a distance in pixels from the centre."""
    heading = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (x - centre[0]) * np.cos(heading) + (y - centre[1]) * np.sin(heading) < distance


def tube(
    rng: np.random.Generator, shape: tuple[int, int], start: tuple[float, float], length: float, width: float
) -> np.ndarray:
    """A winding tube.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (H, W).
    start : tuple of float
        x, y in pixels.
    length, width : float
        In pixels.

    Returns
    -------
    ndarray
        bool (H, W).
    """
    steps = 24
    turn = np.cumsum(rng.normal(0, 0.22, steps)) + rng.uniform(0, 2 * np.pi)
    path = np.cumsum(np.stack([np.cos(turn), np.sin(turn)], axis=1), axis=0) * (length / steps) + np.array(start)
    canvas = np.zeros(shape, np.uint8)
    corners = np.rint(path * 2**_SUBPIXEL_BITS).astype(np.int32)
    cv2.polylines(canvas, [corners], False, 1, max(1, round(width)), shift=_SUBPIXEL_BITS)
    return canvas.view(bool)


def dome(mask: np.ndarray) -> np.ndarray:
    """Depth of each pixel inside a mask: float32 (H, W), 0 outside and at the edge, 1 at the deepest pixel."""
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    return depth / max(float(depth.max()), 1e-6)


def ring(mask: np.ndarray, width: int) -> np.ndarray:
    """The outermost `width` pixels of a mask, bool (H, W)."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    inner = cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return mask & (inner == 0)


def cell_mosaic(rng: np.random.Generator, shape: tuple[int, int], radius: float) -> np.ndarray:
    """Cells that share walls.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (H, W).
    radius : float
        Mean radius of a cell in pixels.

    Returns
    -------
    ndarray
        int32 (H, W), 0 on the walls; 1, 2, … in the cells.
    """
    height, width = shape
    count = max(4, int(height * width / (3.5 * radius**2)))
    seeds = np.ones(shape, np.uint8)
    seeds[rng.integers(height, size=count), rng.integers(width, size=count)] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wobble = [radius * 0.25 * smooth_noise(rng, shape, max(radius * 0.6, 2)) for _ in range(2)]
    moved_x, moved_y = x + wobble[0], y + wobble[1]
    labels = cv2.remap(labels.astype(np.float32), moved_x, moved_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)
    wall = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3) if radius < 14 else (5, 5))
    edge = cv2.dilate(labels, wall) != cv2.erode(labels, wall)
    return np.where(edge, 0, labels).astype(np.int32)
