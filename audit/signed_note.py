"""Text that is signed and stays readable: the signed note of C2SP with Ed25519, and the key that signs."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from policies.errors import Malformed, Sentence, Unavailable

ED25519 = b"\x01"
"""Signature type of the signed-note specification for plain Ed25519."""


class NotASignedNote(Malformed):
    """The text is not a signed note."""

    def __init__(self, why: str, why_zh: str) -> None:
        super().__init__(Sentence(en=f"this is not a signed note: {why}", zh=f"这不是签名便笺：{why_zh}"))


class KeyUnreadable(Unavailable):
    """A key file of the log is missing, damaged or open to others."""

    def __init__(self, file: Path, why: str, why_zh: str) -> None:
        super().__init__(
            Sentence(
                en=f"the key file {file.name} {why}; restore it from the safe copy before the log is opened",
                zh=f"密钥文件 {file.name} {why_zh}；请先从安全备份恢复，再打开日志",
            )
        )
        self.file = file


@dataclass(frozen=True)
class VerifyingKey:
    """The public half of a key that signs for a log."""

    raw: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the 32 public bytes, in hex: what is printed and compared."""
        return sha256(self.raw).hexdigest()

    def hint(self, name: str) -> bytes:
        """Return the four bytes by which a note names this key under `name`."""
        return sha256(name.encode() + b"\n" + ED25519 + self.raw).digest()[:4]

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Return whether `signature` is this key's over `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """An Ed25519 key that signs for a log. Its secret never leaves it but into its own file.

    `file` is where it came from; None when it was made in memory.

    Examples
    --------
    >>> key = SigningKey(bytes(32))
    >>> key.public.verifies(b"text", key.sign(b"text"))
    True
    """

    def __init__(self, secret: bytes, file: Path | None = None) -> None:
        self.file = file
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self._secret = secret
        self.public = VerifyingKey(self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over `message`."""
        return self._key.sign(message)

    def keep(self, file: Path) -> None:
        """Write the secret to `file`, readable by its owner alone, durable when this returns."""
        keep_secret(file, self._secret)

    @classmethod
    def of_file(cls, file: Path) -> SigningKey:
        """Return the key kept in `file`, made on first use.

        Raises
        ------
        KeyUnreadable
            When the file is damaged or readable by others.
        """
        return cls(secret_of_file(file), file)


def secret_of_file(file: Path) -> bytes:
    """Return the 32 secret bytes kept in `file`; when there is no file, draw them and keep them first.

    Raises
    ------
    KeyUnreadable
        When the file is readable by others or does not hold 64 hex digits.
    """
    if not file.exists():
        keep_secret(file, os.urandom(32), replace=False)
    if file.stat().st_mode & 0o077:
        raise KeyUnreadable(
            file, "can be read by others than its owner (expected mode 0600)", "可被他人读取（应为 0600）"
        )
    try:
        secret = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except ValueError:
        secret = b""
    if len(secret) != 32:
        raise KeyUnreadable(file, "does not hold 64 hexadecimal digits", "不是 64 位十六进制数字")
    return secret


def keep_secret(file: Path, secret: bytes, *, replace: bool = True) -> None:
    """Write `secret` to `file` with mode 0600, whole or not at all, durable when this returns.

    With `replace=False` a file that appeared meanwhile (another process was first) is left as it is.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, secret.hex().encode() + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)
    if replace:
        os.replace(draft, file)
    else:
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable: a new file survives a power cut only with its folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sign_note(text: str, name: str, key: SigningKey) -> str:
    """Return `text` as a note signed by `key` under `name`.

    Parameters
    ----------
    text : str
        Ends with a line break and has no empty line at its end.
    name : str
        Of the key; without spaces and plus signs.
    """
    signature = base64.b64encode(key.public.hint(name) + key.sign(text.encode())).decode()
    return f"{text}\n\u2014 {name} {signature}\n"


def cosign_note(note: str, name: str, key: SigningKey) -> str:
    """Return the note with one more signature below those it has."""
    text, _ = split_note(note)
    signature = base64.b64encode(key.public.hint(name) + key.sign(text.encode())).decode()
    return f"{note}\u2014 {name} {signature}\n"


def split_note(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Return the signed text of a note and its signatures as `(name, key hint, signature)`.

    Raises
    ------
    NotASignedNote
        When the note has no signature lines or one of them is malformed.
    """
    text, found, tail = note.rpartition("\n\n")
    if not found or not tail.endswith("\n"):
        raise NotASignedNote("no empty line parts the text from its signatures", "正文与签名之间没有空行")
    signatures = []
    for line in tail[:-1].split("\n"):
        words = line.split(" ")
        if len(words) != 3 or words[0] != "\u2014":
            raise NotASignedNote(f"'{line[:40]}' is no signature line", f"“{line[:40]}”不是签名行")
        try:
            blob = base64.b64decode(words[2], validate=True)
        except binascii.Error as wrong:
            raise NotASignedNote("a signature is not base64", "签名不是 base64") from wrong
        signatures.append((words[1], blob[:4], blob[4:]))
    return text + "\n", signatures


def signed_by(note: str, name: str, key: VerifyingKey) -> bool:
    """Return whether `key` signed this note under `name`."""
    text, signatures = split_note(note)
    return any(
        signer == name and hint == key.hint(name) and key.verifies(text.encode(), signature)
        for signer, hint, signature in signatures
    )
