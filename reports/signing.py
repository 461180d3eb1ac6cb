"""Signs a PDF with the company's key (PAdES), when there is one.

A signature holds its time and fresh random bytes, so only unsigned documents are the same bytes for the same content.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from policies.errors import Malformed, Sentence, Unavailable
from reports.wording import Language, say

if TYPE_CHECKING:
    from pyhanko.sign.signers import SimpleSigner

Sign: TypeAlias = Callable[[bytes, Language], bytes]
"""Puts a signature under a PDF in one of the languages, or leaves it as it is."""

FIELD = "Mingjing"
"""Name of the signature's field in the document."""


class SigningAway(Unavailable):
    """The library that signs is not installed."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="a signing key is set and pyHanko is not installed; install mingjing[sign]",
                zh="已设置签名密钥，但未安装 pyHanko，请安装 mingjing[sign]",
            )
        )


class KeyRefused(Malformed):
    """The key file cannot be used."""

    def __init__(self, what: str, why: str, expected_en: str, expected_zh: str) -> None:
        super().__init__(
            Sentence(
                en=f"{what} cannot be used to sign ({why}); expected {expected_en}",
                zh=f"{what} 无法用于签名（{why}），应为{expected_zh}",
            )
        )


def unsigned(pdf: bytes, _language: Language) -> bytes:
    """Return a document as it is: without a key nothing is signed."""
    return pdf


class PdfSigner:
    """Signs documents with one key; the key is read once.

    Parameters
    ----------
    certificate : Path
        PKCS#12 file with key, certificate and chain.
    passphrase : Path or None
        File whose first line opens it; None for a key without one.
    """

    def __init__(self, certificate: Path, passphrase: Path | None) -> None:
        self._certificate, self._passphrase = certificate, passphrase
        self._signer: SimpleSigner | None = None

    def sign(self, pdf: bytes, language: Language) -> bytes:
        """Return the document with a signature over every byte of it.

        Raises
        ------
        SigningAway, KeyRefused
        """
        try:
            from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
            from pyhanko.sign import fields, signers
        except ImportError as missing:
            raise SigningAway from missing
        signer = self.read()
        kept = BytesIO()
        signers.PdfSigner(
            signers.PdfSignatureMetadata(
                field_name=FIELD,
                reason=say(language, "pdf.signed_because"),
                subfilter=fields.SigSeedSubFilter.PADES,
                md_algorithm="sha256",
            ),
            signer=signer,
        ).sign_pdf(IncrementalPdfFileWriter(BytesIO(pdf)), output=kept)
        return kept.getvalue()

    def read(self) -> SimpleSigner:
        """Read the key, once.

        Raises
        ------
        SigningAway, KeyRefused
        """
        if self._signer is None:
            self._signer = self._read()
        return self._signer

    def _read(self) -> SimpleSigner:
        try:
            from pyhanko.sign import signers
        except ImportError as missing:
            raise SigningAway from missing
        word = None
        if self._passphrase is not None:
            try:
                word = self._passphrase.read_bytes().splitlines()[0]
            except (OSError, IndexError) as error:
                raise KeyRefused(
                    str(self._passphrase), str(error), "a file whose first line is the passphrase", "首行为口令的文件"
                ) from error
        try:
            content = self._certificate.read_bytes()
        except OSError as error:
            raise KeyRefused(str(self._certificate), str(error.strerror), "a PKCS#12 file", "PKCS#12 文件") from error
        try:
            found = signers.SimpleSigner.load_pkcs12_data(content, other_certs=[], passphrase=word)
        except ValueError as error:
            raise KeyRefused(
                str(self._certificate),
                "no key could be read",
                "a PKCS#12 file with its passphrase",
                "PKCS#12 文件及其口令",
            ) from error
        return found
