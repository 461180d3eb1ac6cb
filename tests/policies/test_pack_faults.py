"""A pack that names what the house does not have is found out, name by name."""

from __future__ import annotations

import pytest

from policies.pack_faults import Known, pack_faults
from tests.policies.packs import a_pack

KNOWN = Known(
    checks=frozenset({"performance"}),
    kinds=frozenset({"health"}),
    routes=frozenset({"get /v1/reports"}),
    settings=frozenset({"rulebook"}),
    documents=frozenset({"bom"}),
    anchors=frozenset({"witness"}),
    declared=frozenset({"impact"}),
    roles=frozenset({"dso"}),
    rules={"retention": {"default_days": 190}},
    impact={"persons": frozenset({"none"})},
)


class TestPackFaults:
    @pytest.mark.parametrize(
        ("there", "not_there", "kind"),
        [
            ("performance", "colour", "check"),
            ("health", "weather", "log"),
            ("get /v1/reports", "get /v1/gone", "route"),
            ("rulebook", "colour", "setting"),
            ("bom", "poem", "document"),
            ("witness", "oracle", "anchor"),
            ("impact", "colour", "declared"),
            ("retention.default_days", "retention.colour", "rule"),
        ],
    )
    def test_name_what_does_not_exist(self, there: str, not_there: str, kind: str) -> None:
        assert pack_faults([a_pack(f'{kind} = "{there}"')], KNOWN) == []
        (fault,) = pack_faults([a_pack(f'{kind} = "{not_there}"')], KNOWN)
        assert fault.en == f"test-law 1: there is no {kind} '{not_there}'"
        assert fault.zh == f"test-law 1：不存在 {kind}“{not_there}”"

    def test_know_that_papers_of_the_company_are_elsewhere(self) -> None:
        assert pack_faults([a_pack('outside = "backup"')], KNOWN) == []

    def test_know_roles_and_answers(self) -> None:
        faults = pack_faults([a_pack(clause='asks_of = "king"\nwhen = { persons = ["none", "all"] }')], KNOWN)
        assert [fault.en for fault in faults] == [
            "test-law 1: there is no role 'king'",
            "test-law 1: there is no answer to 'persons' 'all'",
        ]
