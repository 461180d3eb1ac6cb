"""Which entry of the log about a person somebody may know of: the same for decisions and for requests about them."""

from __future__ import annotations

from audit.entries import Entry
from audit.trace_log import TraceLog
from policies.errors import NotFound
from policies.roles import Action, Person, absent, require, require_in_scope


def entry_known_to(by: Person, log: TraceLog, identifier: str, kind: str, called: str) -> Entry:
    """Return an entry of one kind if this person may know of it.

    Parameters
    ----------
    called : str
        What people call such an entry.

    Raises
    ------
    NotAllowed
    NotFound
        When it is absent, out of scope, or, for an employee, not about himself: all look the same.
    """
    if not by.may(Action.READ_DECISIONS):
        require(by, Action.READ_OWN_DECISIONS)
    try:
        entry = log.entry(identifier)
    except NotFound as missing:
        raise absent(called, identifier) from missing
    if entry.kind != kind:
        raise absent(called, identifier)
    require_in_scope(by, entry.site, entry.model, called, identifier)
    if not by.may(Action.READ_DECISIONS) and (entry.subject is None or entry.subject not in by.pseudonyms):
        raise absent(called, identifier)
    return entry
