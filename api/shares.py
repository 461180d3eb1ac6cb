"""How much of a queue one caller may fill: beyond that he is told so, and the others go on."""

from __future__ import annotations

import threading
from collections import Counter

from governance.permits import FALLBACK
from policies.errors import Sentence, Unavailable


class ShareExceeded(Unavailable):
    """One caller has more requests under way than his share, and this one holds no alarm."""

    fallback = FALLBACK

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="you have too many requests under way, so only alarms are answered now; wait for some of their "
                "answers and try again, or hand this case to a person",
                zh="您尚未答复的请求过多，此时仅放行报警；请等待部分答复后重试，或将本次判断转交人工处理",
            )
        )


class Shares:
    """Counts what every caller has under way. Safe for many threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, caller: str) -> bool:
        """Count one request more; False, and nothing counted, when the caller's share is used up."""
        with self._lock:
            if self._under_way[caller] >= self._most:
                return False
            self._under_way[caller] += 1
            return True

    def give_back(self, caller: str) -> None:
        """One of the caller's requests is over."""
        with self._lock:
            self._under_way[caller] -= 1
            if self._under_way[caller] <= 0:
                del self._under_way[caller]
