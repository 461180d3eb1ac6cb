"""Cut the two report fonts to what Chinese and English reports need: run by hand when the upstream font moves.

Usage: `python reports/fonts/subset.py FOLDER` where FOLDER is the unpacked npm package named in NOTICE.md.
Needs fonttools, which the test extra brings. The same input gives the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
WEIGHTS = {
    "400Regular/NotoSansSC_400Regular.ttf": "NotoSansSC-Regular.ttf",
    "700Bold/NotoSansSC_700Bold.ttf": "NotoSansSC-Bold.ttf",
}
RANGES = (
    (0x0020, 0x024F),  # Basic Latin to Latin Extended-B
    (0x0370, 0x03FF),  # Greek, for units and symbols
    (0x2010, 0x205E),  # dashes, quotes, bullets, per mille
    (0x2070, 0x209F),  # superscripts and subscripts
    (0x20A0, 0x20BF),  # currency
    (0x2100, 0x214F),  # letterlike: degree Celsius, number sign
    (0x2150, 0x218F),  # fractions and Roman numerals
    (0x2190, 0x21FF),  # arrows
    (0x2200, 0x22FF),  # mathematics
    (0x2460, 0x24FF),  # circled numbers
    (0x2500, 0x27BF),  # boxes, shapes, ticks
    (0x3000, 0x303F),  # Chinese punctuation
    (0x3200, 0x33FF),  # units in one square
    (0xFE30, 0xFE4F),
    (0xFF00, 0xFFEF),  # full-width forms
)
UNSEEN = {0x00AD, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF}
"""Characters that print nothing or turn the direction of text: reports show their code instead."""


def wanted() -> set[int]:
    """Return the code points kept: GB 2312 as Python's codec knows it, and the ranges above."""
    kept = {point for first, last in RANGES for point in range(first, last + 1)}
    for lead in range(0xA1, 0xF8):
        for trail in range(0xA1, 0xFF):
            try:
                kept.add(ord(bytes((lead, trail)).decode("gb2312")))
            except UnicodeDecodeError:
                continue
    return kept - UNSEEN


def cut(source: Path, target: Path) -> None:
    """Write the subset of `source` to `target`."""
    from fontTools import subset, ttLib  # type: ignore[import-untyped]

    options = subset.Options(
        layout_features=[],
        hinting=False,
        name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14],
        notdef_outline=True,
        desubroutinize=True,
    )
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "vhea", "vmtx", "VORG", "STAT", "DSIG"]
    with ttLib.TTFont(source, recalcTimestamp=False, lazy=True) as font:
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=wanted())
        cutter.subset(font)
        font.save(target, reorderTables=True)


def main() -> None:
    """Cut both weights out of the folder named on the command line."""
    package = Path(sys.argv[1])
    for source, target in WEIGHTS.items():
        cut(package / source, HERE / target)


if __name__ == "__main__":
    main()
