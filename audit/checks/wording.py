"""How findings write figures and lists, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Sequence

from policies.errors import Sentence


def percent(share: float, digits: int = 1) -> str:
    """Return a share as per cent.

    Examples
    --------
    >>> percent(0.0934)
    '9.3 %'
    """
    return f"{share * 100:.{digits}f} %"


def points(gap: float, digits: int = 1) -> str:
    """Return a difference of shares in percentage points, without a unit."""
    return f"{gap * 100:.{digits}f}"


def chance(p: float) -> str:
    """Return a p-value as it is written: 'p = 0.03', 'p < 0.001'."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def span(interval: tuple[float, float], digits: int = 1) -> str:
    """Return an interval of shares, such as '21.0-30.5 %'."""
    low, high = interval
    return f"{low * 100:.{digits}f}–{high * 100:.{digits}f} %"


def named(names: Sequence[str], most: int = 5) -> Sentence:
    """Return a list of names, cut after `most`, with the number of those left out."""
    shown = [str(name) for name in names[:most]]
    left = len(names) - len(shown)
    en = ", ".join(f"'{name}'" for name in shown) + (f" and {left} more" if left else "")
    zh = "、".join(f"“{name}”" for name in shown) + (f" 等共 {len(names)} 项" if left else "")
    return Sentence(en=en, zh=zh)


def named_with(figures: Sequence[tuple[str, str]]) -> Sentence:
    """Return a list of names, each with its figure."""
    return Sentence(
        en=", ".join(f"'{name}' ({figure})" for name, figure in figures),
        zh="、".join(f"“{name}”（{figure}）" for name, figure in figures),
    )


def joined(sentences: Sequence[Sentence]) -> Sentence:
    """Return several sentences as one per language."""
    return Sentence(en="; ".join(said.en for said in sentences), zh="；".join(said.zh for said in sentences))
