"""What decisions are read for: every query has a purpose, and none turns them on a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from audit.entries import TraceSink
from governance.statements import statement
from policies.errors import Fault, Refused, Sentence
from policies.permitted_use import PurposeRefused, WrongPurpose, require_query
from policies.roles import Person, Role
from policies.rulebook import Rulebook

FOR = {
    Role.EMPLOYEE: "own_data",
    Role.REVIEWER: "human_review",
    Role.REGULATOR: "supervision",
    Role.DSO: "oversight",
    Role.COMMITTEE: "oversight",
}
"""What a role reads decisions for unless it says something else."""

AGAINST_PEOPLE = frozenset(
    (
        "reviewer",
        "actor",
        "caller",
        "by",
        "person",
        "worker",
        "group_by",
        "order_by",
        "sort",
        "sort_by",
        "rank",
        "rank_by",
    )
)
"""Words of a query that would group, rank or single out decisions by a person."""

MAY_NAME_A_SUBJECT = frozenset((Role.DSO, Role.REGULATOR))
"""Roles that see pseudonyms, so that they may ask for one person's decisions: to answer him, or to supervise."""


class NotByPerson(Refused):
    """Decisions are not grouped, ranked or handed out by person."""

    def __init__(self, words: Iterable[str]) -> None:
        said = ", ".join(sorted(words))
        super().__init__(
            Sentence(
                en=f"decisions are not grouped, ranked or handed out by person ({said}); ask by model, time, flag or "
                "verdict",
                zh=f"不得按人员对决策分组、排名或导出（{said}）；请按模型、时间、标记或判断查询",
            )
        )


class Reading:
    """Says what a query is for, and refuses and logs what it may not be for."""

    def __init__(self, log: TraceSink, rulebook: Callable[[], Rulebook]) -> None:
        self._log = log
        self._rulebook = rulebook

    def purpose(self, stated: str | None, by: Person, *, asked: Iterable[str] = ()) -> str:
        """Return the purpose of a query: as stated, else as bound to the caller, else what his role reads for.

        Parameters
        ----------
        asked : names of what the query narrows or orders by.

        Raises
        ------
        PurposeRefused, WrongPurpose, NotByPerson
            Each is logged.
        """
        words = set(asked)
        try:
            if against := words & AGAINST_PEOPLE:
                raise NotByPerson(against)
            if "subject" in words and by.role not in MAY_NAME_A_SUBJECT and by.role is not Role.EMPLOYEE:
                raise NotByPerson({"subject"})
            if by.purpose is not None and stated is not None and stated != by.purpose:
                raise WrongPurpose(by.purpose, stated)
            wanted = stated or by.purpose or FOR.get(by.role, "")
            return require_query(wanted, self._rulebook().purposes)
        except (PurposeRefused, WrongPurpose, NotByPerson) as refused:
            self._keep(refused, stated, by, words)
            raise

    def note_search_about(self, subject: str, purpose: str, by: Person) -> None:
        """Keep in the log that somebody looked for the decisions about one person."""
        body = {"what": "search about a person", "subject": subject, "purpose": purpose, "role": by.role.value}
        self._log.append([statement("access", by=by.name, body=body, site=by.site)])

    def _keep(self, refused: Fault, stated: str | None, by: Person, words: set[str]) -> None:
        self._log.append(
            [
                statement(
                    "refuse",
                    by=by.name,
                    body={
                        "what": "query",
                        "purpose": stated,
                        "asked": sorted(words),
                        "why": refused.says.as_json(),
                        "role": by.role.value,
                    },
                    rulebook_digest=self._rulebook().digest,
                    site=by.site,
                )
            ]
        )
