"""Units that are mistaken for one another, and what a reading becomes when they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Mistake(NamedTuple):
    """A reading arrives in `unit`: its number is `scale` times the true one plus `offset`."""

    unit: str
    scale: float
    offset: float = 0.0


FAMILIES: tuple[Mapping[str, float], ...] = (
    {"Pa": 1.0, "mbar": 100.0, "kPa": 1e3, "psi": 6894.757, "bar": 1e5, "MPa": 1e6},
    {"km/h": 1 / 3.6, "mph": 0.44704, "m/s": 1.0},
    {"g": 1e-3, "lb": 0.45359237, "kg": 1.0, "t": 1e3},
    {"mm": 1e-3, "cm": 1e-2, "in": 0.0254, "ft": 0.3048, "m": 1.0},
    {"l/min": 1 / 60_000, "m3/h": 1 / 3600, "l/s": 1e-3},
    {"mA": 1e-3, "A": 1.0},
    {"mV": 1e-3, "V": 1.0, "kV": 1e3},
    {"W": 1.0, "kW": 1e3, "MW": 1e6},
    {"ppb": 1e-3, "ppm": 1.0, "%": 1e4},
    {"s": 1.0, "min": 60.0, "h": 3600.0},
    {"rpm": 1 / 60, "Hz": 1.0},
    {"mm/s": 1e-3, "in/s": 0.0254},
    {"g0": 9.80665, "m/s2": 1.0},
)
"""Units of one quantity, each with its size in the common one."""

TEMPERATURES: Mapping[str, tuple[Mistake, ...]] = {
    "degC": (Mistake("degF", 1.8, 32.0), Mistake("K", 1.0, 273.15)),
    "degF": (Mistake("degC", 5 / 9, -160 / 9), Mistake("K", 5 / 9, 459.67 * 5 / 9)),
    "K": (Mistake("degC", 1.0, -273.15), Mistake("degF", 1.8, -459.67)),
}

WRITTEN: Mapping[str, str] = {
    "°c": "degC",
    "℃": "degC",
    "c": "degC",
    "celsius": "degC",
    "°f": "degF",
    "℉": "degF",
    "f": "degF",
    "l/m": "l/min",
    "lpm": "l/min",
    "m³/h": "m3/h",
    "m^3/h": "m3/h",
    "m/s²": "m/s2",
    "m/s^2": "m/s2",
    "percent": "%",
    "lbs": "lb",
    "r/min": "rpm",
}
"""Other ways of writing them."""

SPELT: Mapping[str, str] = {
    **{name.casefold(): name for name in (*(name for family in FAMILIES for name in family), *TEMPERATURES)},
    **WRITTEN,
}
"""Every way of writing a unit, in small letters, and its name here."""


def mistakes(unit: str | None) -> tuple[Mistake, ...]:
    """Return the units a reading in `unit` is commonly mistaken for; none for a unit that is not known.

    Examples
    --------
    >>> [mistake.unit for mistake in mistakes("℃")]
    ['degF', 'K']
    >>> mistakes("bar")[0]
    Mistake(unit='Pa', scale=100000.0, offset=0.0)
    """
    told = (unit or "").strip()
    name = told if told in SPELT.values() else SPELT.get(told.casefold(), told)
    if name in TEMPERATURES:
        return TEMPERATURES[name]
    for family in FAMILIES:
        if name in family:
            return tuple(Mistake(other, family[name] / size) for other, size in family.items() if other != name)
    return ()
