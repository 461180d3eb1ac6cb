"""Where a field sampled on a grid crosses a level, by marching squares: the line at which a verdict flips."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reports.charts.scene import Point

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Segment = tuple[Point, Point]


def contour(
    x: Floats, y: Floats, field: Floats, level: float, where: Flags | None = None
) -> tuple[tuple[Point, ...], ...]:
    """Return the lines along which `field` equals `level`.

    Parameters
    ----------
    x, y : arrays of shape (n_x,) and (n_y,)
        Grid coordinates, each rising.
    field : array of shape (n_y, n_x)
        `field[i, j]` is the value at `(x[j], y[i])`. Squares with a corner that is not finite are left out.
    level : float
        In the unit of `field`. A corner exactly at the level counts as above it.
    where : array of shape (n_y, n_x), optional
        Squares without any corner marked here are left out: no line is drawn where there are no data.

    Returns
    -------
    tuple of lines
        Each a chain of points; a closed line repeats its first point. Empty when nothing crosses.

    Examples
    --------
    >>> grid = np.array([0.0, 1.0])
    >>> contour(grid, grid, np.array([[0.0, 1.0], [0.0, 1.0]]), 0.25)
    (((0.25, 0.0), (0.25, 1.0)),)
    """
    segments: list[Segment] = []
    above = field >= level
    for i in range(len(y) - 1):
        for j in range(len(x) - 1):
            corners = field[i : i + 2, j : j + 2]
            mixed = above[i : i + 2, j : j + 2].any() and not above[i : i + 2, j : j + 2].all()
            seen = where is None or where[i : i + 2, j : j + 2].any()
            if mixed and seen and np.isfinite(corners).all():
                segments.extend(_square(x[j : j + 2], y[i : i + 2], corners, level))
    return _chained(segments)


def _square(x: Floats, y: Floats, v: Floats, level: float) -> list[Segment]:
    """Return the one or two segments inside a square whose corners lie on both sides of the level."""
    ring = ((0, 0), (0, 1), (1, 1), (1, 0))
    crossings: list[Point] = []
    for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
        if (v[a] >= level) != (v[b] >= level):
            a, b = min(a, b), max(a, b)  # the same edge gives the same point from both of its squares
            part = (level - v[a]) / (v[b] - v[a])
            crossings.append((float(x[a[1]] + part * (x[b[1]] - x[a[1]])), float(y[a[0]] + part * (y[b[0]] - y[a[0]]))))
    if len(crossings) == 2:
        return [(crossings[0], crossings[1])]
    # A saddle: the mean of the corners decides which opposite corners are joined.
    joined = (v.mean() >= level) == (v[0, 0] >= level)
    pairs = ((0, 1), (2, 3)) if joined else ((3, 0), (1, 2))
    return [(crossings[a], crossings[b]) for a, b in pairs]


def _chained(segments: list[Segment]) -> tuple[tuple[Point, ...], ...]:
    """Return segments that share an end joined into lines."""
    ends: dict[Point, list[int]] = {}
    for number, segment in enumerate(segments):
        for point in segment:
            ends.setdefault(point, []).append(number)
    left = set(range(len(segments)))
    lines: list[tuple[Point, ...]] = []
    while left:
        line = list(segments[min(left)])
        left.discard(min(left))
        _grow(line, segments, ends, left)
        line.reverse()
        _grow(line, segments, ends, left)
        lines.append(tuple(reversed(line)))
    return tuple(lines)


def _grow(line: list[Point], segments: list[Segment], ends: dict[Point, list[int]], left: set[int]) -> None:
    """Add segments to the end of `line` while one fits."""
    while True:
        following = [number for number in ends[line[-1]] if number in left]
        if not following:
            return
        left.discard(following[0])
        a, b = segments[following[0]]
        line.append(b if a == line[-1] else a)
