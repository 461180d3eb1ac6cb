"""Signed PDFs: another program's validator finds the signature whole, and a changed byte breaks it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from policies.errors import Malformed, Unavailable
from reports.signing import PdfSigner, unsigned
from reports.technical_file import technical_file, technical_file_pdf
from tests.reports.papers import some_facts
from tests.reports.pdf_text import words_of

PASSPHRASE = b"open sesame"


def a_key(folder: Path) -> tuple[Path, Path, bytes]:
    """A key with a certificate of its own making, its passphrase in a file, and the certificate (DER)."""
    made = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Plant 07")])
    now = datetime.now(UTC)  # noqa: TID251 - the validator reads the real clock
    use = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(made.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(use, critical=True)
        .sign(made, hashes.SHA256())
    )
    sealed = serialization.BestAvailableEncryption(PASSPHRASE)
    file, word = folder / "key.p12", folder / "passphrase"
    file.write_bytes(pkcs12.serialize_key_and_certificates(b"plant", made, certificate, None, sealed))
    word.write_bytes(PASSPHRASE + b"\n")
    return file, word, certificate.public_bytes(serialization.Encoding.DER)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, bytes]:
    """A key, made once."""
    pytest.importorskip("pyhanko", reason="pyHanko (mingjing[sign]) is not installed")
    return a_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def document() -> bytes:
    """A PDF of ours."""
    return technical_file_pdf(technical_file(some_facts()), "zh")


def state_of(pdf: bytes, certificate: bytes) -> Any:
    """What pyHanko's validator says of the only signature of a document."""
    from asn1crypto import x509 as parsed
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko_certvalidator import ValidationContext

    (signature,) = PdfFileReader(BytesIO(pdf)).embedded_signatures
    trusted = ValidationContext(trust_roots=[parsed.Certificate.load(certificate)], allow_fetching=False)
    return validate_pdf_signature(signature, trusted)


class TestSigned:
    def test_holds_before_another_programs_validator(self, key: tuple[Path, Path, bytes], document: bytes) -> None:
        state = state_of(PdfSigner(*key[:2]).sign(document, "zh"), key[2])
        assert state.bottom_line
        assert state.coverage.name == "ENTIRE_FILE"

    def test_a_changed_byte_breaks_it(self, key: tuple[Path, Path, bytes], document: bytes) -> None:
        signed = bytearray(PdfSigner(*key[:2]).sign(document, "zh"))
        place = signed.index(b"/Producer") + 12
        signed[place] ^= 1
        assert not state_of(bytes(signed), key[2]).intact

    def test_leaves_the_words_as_they_were(self, key: tuple[Path, Path, bytes], document: bytes) -> None:
        signed = PdfSigner(*key[:2]).sign(document, "zh")
        assert signed.startswith(document)
        assert words_of(signed) == words_of(document)

    def test_one_signer_signs_many(self, key: tuple[Path, Path, bytes], document: bytes) -> None:
        signer = PdfSigner(*key[:2])
        assert all(state_of(signer.sign(document, "en"), key[2]).bottom_line for _ in range(2))


class TestRefused:
    def test_without_its_file(self, key: tuple[Path, Path, bytes], document: bytes) -> None:
        with pytest.raises(Malformed, match=r"gone\.p12 cannot be used to sign \(No such file"):
            PdfSigner(key[0].parent / "gone.p12", key[1]).sign(document, "en")

    def test_with_a_wrong_passphrase(self, key: tuple[Path, Path, bytes], document: bytes, tmp_path: Path) -> None:
        (tmp_path / "word").write_text("wrong\n", encoding="utf-8")
        with pytest.raises(Malformed, match="no key could be read"):
            PdfSigner(key[0], tmp_path / "word").sign(document, "en")

    def test_with_an_empty_passphrase_file(
        self, key: tuple[Path, Path, bytes], document: bytes, tmp_path: Path
    ) -> None:
        (tmp_path / "word").touch()
        with pytest.raises(Malformed, match="a file whose first line is the passphrase"):
            PdfSigner(key[0], tmp_path / "word").sign(document, "en")

    def test_without_the_library(self, document: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pyhanko.sign", None)
        with pytest.raises(Unavailable, match=r"install mingjing\[sign\]"):
            PdfSigner(Path("key.p12"), None).sign(document, "en")


class TestUnsigned:
    def test_is_the_document_itself(self, document: bytes) -> None:
        assert unsigned(document, "zh") is document
