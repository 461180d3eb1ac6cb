"""The ways out: messages through apprise, and webhooks that we sign ourselves."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from api.notifying.guarded import Network, NotAWebhook, NotDelivered, post
from api.notifying.notices import KINDS, Notice
from api.notifying.signing import signed_headers
from policies.errors import Malformed, Sentence, Unavailable

SERVICES = {
    "dingtalk": "DingTalk",
    "wecombot": "WeCom",
    "feishu": "Feishu",
    "lark": "Lark",
    "mailto": "mail",
    "mailtos": "mail",
}
"""What apprise may be asked for. Its generic http kinds are not among them: webhooks are ours, signed and guarded."""

SHORTEST_SECRET = 16
FINAL = (400, 401, 403, 404, 405, 410, 413, 422)
"""Answers that another try would not change."""


class ChannelRefused(Malformed):
    """A channel in the settings that cannot be meant."""


class NotTaken(Malformed):
    """The receiver refused a webhook for good."""

    def __init__(self, host: str, status: int) -> None:
        super().__init__(
            Sentence(en=f"{host} refused it with status {status}", zh=f"{host} 以状态码 {status} 拒绝接收")
        )


@dataclass(frozen=True, kw_only=True)
class MessageChannel:
    """DingTalk, WeCom, Feishu, Lark or mail, in one language or both."""

    url: str = field(repr=False)
    languages: tuple[str, ...] = ("zh", "en")
    kinds: tuple[str, ...] = KINDS

    def __post_init__(self) -> None:
        scheme = self.url.partition("://")[0].lower()
        if scheme not in SERVICES:
            raise ChannelRefused(
                Sentence(
                    en=f"MINGJING_NOTIFY names the service {scheme[:30]!r}; expected {', '.join(SERVICES)}",
                    zh=f"MINGJING_NOTIFY 中的服务 {scheme[:30]!r} 无效，应为 {'、'.join(SERVICES)}",
                )
            )
        _require_kinds(self.kinds)

    @property
    def name(self) -> str:
        """The service and a digest of its address, which holds secrets."""
        return f"{self.url.partition('://')[0].lower()}-{_digest(self.url)}"

    def wants(self, kind: str) -> bool:
        """Whether notices of this kind go here."""
        return kind in self.kinds

    def send(self, delivery: str, notice: Notice, now: datetime) -> None:
        """Send the message. Raises Unavailable when the service did not take it."""
        title, text = notice.words()
        service = _apprise(self.url)
        said = "\n\n".join(text.in_language(language) for language in self.languages)
        if not service.notify(title=title.in_language(self.languages[0]), body=said):
            raise NotDelivered(SERVICES[self.url.partition("://")[0].lower()], "the service said no")


@dataclass(frozen=True, kw_only=True)
class WebhookChannel:
    """A system of the company: JSON, signed under a shared secret, to a public address or one the operator allows."""

    url: str
    secret: str = field(repr=False)
    kinds: tuple[str, ...] = KINDS
    allowed: Sequence[Network] = ()

    def __post_init__(self) -> None:
        if len(self.secret) < SHORTEST_SECRET:
            raise ChannelRefused(
                Sentence(
                    en=f"the secret of a webhook has at least {SHORTEST_SECRET} characters; found {len(self.secret)}",
                    zh=f"Webhook 密钥至少 {SHORTEST_SECRET} 个字符，当前为 {len(self.secret)} 个",
                )
            )
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise NotAWebhook(self.url, "is not http or https", "不是 http 或 https")
        _require_kinds(self.kinds)

    @property
    def name(self) -> str:
        """The host and a digest of the whole address."""
        return f"webhook-{urlsplit(self.url).hostname}-{_digest(self.url)}"

    def wants(self, kind: str) -> bool:
        """Whether notices of this kind go here."""
        return kind in self.kinds

    def send(self, delivery: str, notice: Notice, now: datetime) -> None:
        """Post the notice. Raises Unavailable to be tried again, another Fault when that would not help."""
        title, text = notice.words()
        body = json.dumps(
            {
                "format": 1,
                "id": delivery,
                "kind": notice.kind,
                "at": notice.at.isoformat(),
                **{name: notice.facts.get(name) for name in ("model", "version", "site", "until")},
                "title": title.as_json(),
                "text": text.as_json(),
            },
            ensure_ascii=False,
        ).encode()
        status = post(self.url, body, signed_headers(self.secret, delivery, body, now.timestamp()), self.allowed)
        host = urlsplit(self.url).hostname or ""
        if status in FINAL:
            raise NotTaken(host, status)
        if not 200 <= status < 300:
            raise NotDelivered(host, f"status {status}")


def _require_kinds(kinds: Sequence[str]) -> None:
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or not kinds:
        raise ChannelRefused(
            Sentence(
                en=f"there is no kind of notice '{', '.join(unknown)}'; expected some of {', '.join(KINDS)}",
                zh=f"没有“{'、'.join(unknown)}”这类通知，应为 {'、'.join(KINDS)} 中的若干项",
            )
        )


def _apprise(url: str) -> Any:
    try:
        with warnings.catch_warnings():
            # Its mail support looks for a module that newer Pythons say good-bye to.
            warnings.simplefilter("ignore", DeprecationWarning)
            import apprise

            service = apprise.Apprise()
            added = service.add(url)
    except ImportError as missing:
        raise Unavailable(
            Sentence(
                en="messages need the package apprise; install mingjing with the extra 'notify'",
                zh="发送消息需要 apprise，请安装 mingjing 的 notify 附加组件",
            )
        ) from missing
    if not added:
        scheme = url.partition("://")[0]
        raise ChannelRefused(
            Sentence(
                en=f"the {scheme} address in MINGJING_NOTIFY cannot be read; see the documentation of apprise",
                zh=f"MINGJING_NOTIFY 中的 {scheme} 地址无法识别，请对照 apprise 文档",
            )
        )
    return service


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:12]
