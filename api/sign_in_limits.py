"""How often a sign-in may fail, per account and per address, counted in the database for all processes together."""

from __future__ import annotations

import hashlib
import ipaddress

from sqlalchemy import delete, text, update

from api.tokens import NotSignedIn
from audit.database import Database
from audit.entries import Clock, microseconds_of
from governance.tables import sign_in_tries
from policies.errors import Sentence

TRIES = 5
LOCKED_FOR = 60.0
"""After so many failed tries at one account, it stays shut for so many seconds after the last of them."""

ADDRESS_TRIES = 40
ADDRESS_LOCKED_FOR = 600.0
"""The same for one address, whatever accounts it tried."""

_COUNT = text(
    "INSERT INTO sign_in_tries (place, tries, since) VALUES (:place, 1, :now) ON CONFLICT (place) DO UPDATE SET"
    " tries = CASE WHEN sign_in_tries.since <= :old THEN 1 ELSE sign_in_tries.tries + 1 END,"
    " since = CASE WHEN sign_in_tries.since <= :old OR sign_in_tries.tries < :most"
    " THEN :now ELSE sign_in_tries.since END"
    " RETURNING tries"
)


class TooManyTries(NotSignedIn):
    """This address failed too often. Says nothing about any account."""

    def __init__(self) -> None:
        minutes = round(ADDRESS_LOCKED_FOR / 60)
        super().__init__(
            Sentence(
                en=f"too many sign-ins from this address failed; try again in {minutes} minutes",
                zh=f"该地址登录失败次数过多，请在 {minutes} 分钟后重试",
            )
        )


class SignInLimits:
    """Counts a try before it is examined, so that many at the same moment are no way around it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def begin(self, account: str, address: str | None) -> bool:
        """Count a try; return whether the account is open.

        Raises
        ------
        TooManyTries
            When the address is shut.
        """
        now = microseconds_of(self._clock())
        with self._database.writing() as connection:
            connection.execute(delete(sign_in_tries).where(sign_in_tries.c.since < now - _micro(ADDRESS_LOCKED_FOR)))

            def count(place: str, most: int, seconds: float) -> int:
                asked = {"place": place, "now": now, "old": now - _micro(seconds), "most": most}
                return int(connection.execute(_COUNT, asked).scalar_one())

            if (
                address is None
                or count(_place("address", _network(address)), ADDRESS_TRIES, ADDRESS_LOCKED_FOR) <= ADDRESS_TRIES
            ):
                return count(_place("account", account), TRIES, LOCKED_FOR) <= TRIES
        raise TooManyTries()

    def passed(self, account: str, address: str | None) -> None:
        """Forget the tries at an account that was signed in to, and take this one off the address."""
        with self._database.writing() as connection:
            connection.execute(delete(sign_in_tries).where(sign_in_tries.c.place == _place("account", account)))
            if address is not None:
                connection.execute(
                    update(sign_in_tries)
                    .where(sign_in_tries.c.place == _place("address", _network(address)), sign_in_tries.c.tries > 0)
                    .values(tries=sign_in_tries.c.tries - 1)
                )


def _network(address: str) -> str:
    """Return whose address it is: one of IPv4 stands for itself, one of IPv6 for the 64 bits a line is given."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        return str(ipaddress.IPv6Network((known, 64), strict=False))
    return str(known)


def _place(kind: str, name: str) -> str:
    # As a digest: people type passwords into the wrong field.
    return hashlib.sha256(f"{kind}:{name}".encode(errors="surrogatepass")).hexdigest()


def _micro(seconds: float) -> int:
    return int(seconds * 1_000_000)
