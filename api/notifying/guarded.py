"""Posts to addresses outside and to no others: a name is resolved once, judged, and that very address is spoken to."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from policies.errors import Malformed, Refused, Sentence, Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

TIMEOUT = 10.0
READ_AT_MOST = 64 * 1024
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class InnerAddress(Refused):
    """A webhook leads to this machine, to the plant's network or to a cloud's own services."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(
            Sentence(
                en=f"{host} is {address}, an address that is not public; webhooks go there only when "
                "MINGJING_WEBHOOK_ALLOW names it",
                zh=f"{host} 的地址为 {address}，不是公网地址；仅当 MINGJING_WEBHOOK_ALLOW 列出该地址时才会发送",
            )
        )


class NotAWebhook(Malformed):
    """An address that no webhook can have."""

    def __init__(self, url: str, why: str, chinese: str) -> None:
        shown = url.partition("?")[0][:100]
        super().__init__(Sentence(en=f"the webhook {shown!r} {why}", zh=f"Webhook 地址 {shown!r} {chinese}"))


class NotDelivered(Unavailable):
    """The other side did not take it; trying later may help."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(Sentence(en=f"{host} did not take it: {why}", zh=f"{host} 未接收：{why}"))


def read_networks(allowed: Sequence[str]) -> tuple[Network, ...]:
    """Return the networks an operator allows beside public ones. Raises Malformed with every one that is none."""
    found, faults = [], []
    for text in allowed:
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            faults.append(
                Sentence(
                    en=f"MINGJING_WEBHOOK_ALLOW holds {text[:60]!r}; expected networks such as 10.1.2.0/24",
                    zh=f"MINGJING_WEBHOOK_ALLOW 中的 {text[:60]!r} 无效，应为网段，如 10.1.2.0/24",
                )
            )
    if faults:
        raise Malformed(*faults)
    return tuple(found)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the internet at large, also where one family carries an address of the other.

    Examples
    --------
    >>> [is_public(ipaddress.ip_address(a)) for a in ("93.184.216.34", "10.0.0.1", "::ffff:169.254.169.254")]
    [True, False, False]
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def post(url: str, body: bytes, headers: Mapping[str, str], allowed: Sequence[Network] = ()) -> int:
    """Post a body and return the status of the answer. Redirects are not followed and proxies not asked.

    Raises
    ------
    NotAWebhook
        When the address is not http(s), carries a password, or is http to a public address.
    InnerAddress
        When any address of the name is neither public nor allowed.
    NotDelivered
        When nobody answers, or not in time.
    """
    secure, host, port, path = _parts(url)
    address = _resolved(host, port, allowed)
    if not secure and not _is_allowed(address, allowed):
        raise NotAWebhook(url, "is not https", "不是 https")
    connection = _Pinned(host, port, str(address), secure)
    try:
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        answer.read(READ_AT_MOST)
        return answer.status
    except (OSError, HTTPException) as error:
        raise NotDelivered(host, type(error).__name__) from error
    finally:
        connection.close()


class _Pinned(HTTPConnection):
    """A connection to one address under the name it was asked by: the name is not resolved a second time."""

    def __init__(self, host: str, port: int, address: str, secure: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT)
        self._address = address
        self._secure = secure
        self.default_port = 443 if secure else 80

    def connect(self) -> None:
        """Connect, and have the certificate bear the name."""
        made = socket.create_connection((self._address, self.port), self.timeout)
        if self._secure:
            try:
                made = ssl.create_default_context().wrap_socket(made, server_hostname=self.host)
            except BaseException:
                made.close()
                raise
        self.sock = made


def _parts(url: str) -> tuple[bool, str, int, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotAWebhook(url, "cannot be read", "无法识别") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or not url.isprintable():
        raise NotAWebhook(url, "is not http or https", "不是 http 或 https")
    if parts.username is not None or " " in url:
        raise NotAWebhook(url, "carries a name or a space", "含有用户名或空格")
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return secure, parts.hostname, port or (443 if secure else 80), path


def _resolved(host: str, port: int, allowed: Sequence[Network]) -> Address:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotDelivered(host, "the name is not known") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:  # all of them: whoever answers with one good and one bad address gets neither
        if not is_public(address) and not _is_allowed(address, allowed):
            raise InnerAddress(host, str(address))
    return addresses[0]


def _is_allowed(address: Address, allowed: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in allowed)
