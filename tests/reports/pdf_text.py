"""Reads a PDF back the way a reader does: its words in order, without caring where lines broke."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

from pypdf import PdfReader


@lru_cache(maxsize=64)
def words_of(pdf: bytes) -> str:
    """Return the text of all pages without any white space, so that a broken line changes nothing."""
    return squeezed("".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages))


def squeezed(text: str) -> str:
    """Return `text` without white space."""
    return "".join(text.replace("\xa0", " ").split())


def reader(pdf: bytes) -> PdfReader:
    """Return the document opened."""
    return PdfReader(BytesIO(pdf))


def pages_of(pdf: bytes) -> list[str]:
    """Return the squeezed text of each page."""
    return [squeezed(page.extract_text()) for page in reader(pdf).pages]
