"""Puts what happened into the outbox and hands over what is due; part of the rounds of a serving process."""

from __future__ import annotations

from datetime import timedelta

from api.notifying.channels import MessageChannel, WebhookChannel
from api.notifying.guarded import read_networks
from api.notifying.notices import KINDS, from_deadlines, from_log
from api.notifying.outbox import Channel, Outbox
from api.settings import Settings
from audit.entries import Clock
from audit.trace_log import TraceLog
from governance.appeals import Appeals
from governance.permits import PermitBook

LOOK_BACK = timedelta(hours=24)
"""How far back entries are read; a house whose rounds stood still for longer tells what is younger."""


class TellingOutside:
    """Tells every channel what it wants to know."""

    def __init__(self, outbox: Outbox, log: TraceLog, permits: PermitBook, appeals: Appeals, clock: Clock) -> None:
        self.outbox = outbox
        self._log = log
        self._permits = permits
        self._appeals = appeals
        self._clock = clock

    def once(self) -> int:
        """Put what is new into the outbox and hand over what is due; return how many messages were taken.

        What happened before the first channel was set is not told: nobody wants a year of news at once.
        """
        if not self.outbox.channels:
            return 0
        size, told, now = self._log.size(), self.outbox.told_up_to(), self._clock()
        if told is not None and told < size:
            self.outbox.put(from_log(self._log, told - 1, now - LOOK_BACK))
        if told is None or told < size:
            self.outbox.note_told(size)
        self.outbox.put(from_deadlines(self._permits, self._appeals, now))
        return self.outbox.send_due()

    def forget_old(self) -> None:
        """Let go of what was told long ago, but for reminders of what still waits: each is sent once."""
        still = from_deadlines(self._permits, self._appeals, self._clock())
        self.outbox.forget_old(notice.key for notice in still)


def channels_of(settings: Settings) -> tuple[Channel, ...]:
    """Return the channels the operator set. Raises Malformed for one that cannot be meant."""
    allowed = read_networks(settings.webhook_allow)
    messages = [
        MessageChannel(url=each.url, languages=each.languages, kinds=each.kinds or KINDS) for each in settings.notify
    ]
    webhooks = [
        WebhookChannel(url=each.url, secret=each.secret, kinds=each.kinds or KINDS, allowed=allowed)
        for each in settings.webhooks
    ]
    return (*messages, *webhooks)
