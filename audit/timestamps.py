"""Time stamps of RFC 3161: what is asked of a time-stamping authority, and whether its answer can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from rfc3161_client import (
    TimeStampRequest,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from policies.errors import Malformed, Refused, Sentence


class TimeStampRefused(Refused):
    """The answer is no time stamp of what was asked, by nobody who is trusted."""

    def __init__(self, why: str) -> None:
        super().__init__(
            Sentence(
                en=f"the time stamp does not hold: {why}; it was not kept",
                zh=f"时间戳无效：{why}；未予保存",
            )
        )


@dataclass(frozen=True)
class StampRequest:
    """A request ready to be posted as `application/timestamp-query`, and the message it dates."""

    message: bytes
    request: TimeStampRequest

    @property
    def der(self) -> bytes:
        """The request in DER."""
        return self.request.as_bytes()


@dataclass(frozen=True)
class TimeStamp:
    """A checked time stamp: when, and by which authority (its certificate's subject)."""

    time: datetime
    authority: str


def request_for(message: bytes) -> StampRequest:
    """Return a request with a fresh nonce that dates `message` by its SHA-512."""
    return StampRequest(
        message, TimestampRequestBuilder().data(message).nonce(nonce=True).cert_request(cert_request=True).build()
    )


def read_response(answer: bytes, asked: StampRequest, authority: bytes) -> TimeStamp:
    """Return the time of an answer after checking imprint, nonce, signature and certificate chain.

    Parameters
    ----------
    answer : bytes
        The response in DER.
    authority : bytes
        PEM certificates; self-signed ones are trusted as roots, the others help to build the chain.

    Raises
    ------
    TimeStampRefused
        When any of it does not hold.
    Malformed
        When `authority` holds no root certificate.
    """
    roots, others = _certificates(authority)
    verifier = VerifierBuilder(roots=roots, intermediates=others, nonce=asked.request.nonce).build()
    try:
        response = decode_timestamp_response(answer)
        verifier.verify_message(response, asked.message)
    except (VerificationError, ValueError) as wrong:
        raise TimeStampRefused(str(wrong)) from wrong
    signer = next(iter(response.signed_data.signer_infos))
    time = response.tst_info.gen_time
    return TimeStamp(
        time=time.astimezone(UTC) if time.tzinfo is not None else time.replace(tzinfo=UTC),
        authority=signer.issuer.rfc4514_string(),
    )


def _certificates(pem: bytes) -> tuple[list[x509.Certificate], list[x509.Certificate]]:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        found = []
    roots = [certificate for certificate in found if certificate.issuer == certificate.subject]
    if not roots:
        raise Malformed(
            Sentence(
                en="the authority's file holds no self-signed certificate in PEM; give the root that you trust",
                zh="时间戳机构证书文件中没有 PEM 格式的自签名根证书，请提供受信任的根证书",
            )
        )
    return roots, [certificate for certificate in found if certificate not in roots]
