"""One house behind all doors, with people of every role at every site, made once in a session."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from starlette.testclient import TestClient

from api.app import create_app
from api.wiring import Service
from api.work import ask_for_submission
from governance.appeals import Asks
from governance.publications import BIAS_AUDIT
from governance.reviews import Judgement
from policies.errors import Sentence
from policies.quarters import Quarter, quarter_of
from policies.roles import Person, Role, Scope
from policies.tiers import Tier
from tests.governance.factories import OFFICER, SENSORS, SITE, House, rows
from tests.reports.papers import an_audit

ELSEWHERE = "plant-08"
SCOPES = {"everywhere": None, "here": SITE, "elsewhere": ELSEWHERE}
ABSENT = "00000000-0000-7000-8000-000000000000"


@dataclass
class Doors:
    """The HTTP door of a house, its people's tokens, and things to ask for."""

    house: House
    client: TestClient
    tokens: dict[tuple[Role, str], str]
    people: dict[tuple[Role, str], Person]
    decision: str
    submission: str
    job: str
    appeal: str
    revision: str
    delegation: str
    change: str
    erasure: str
    draft: str
    narrowed: dict[Role, str]
    asked: tuple[str, ...] = ()

    def there(self) -> dict[str, str]:
        """What path parameters can name, by the parameter: one object of each kind that is there."""
        known = {"decision": self.decision, "submission": self.submission, "job": self.job, "appeal": self.appeal}
        known |= {"name": "gas-leak", "user": "service-here", "revision": self.revision, "quarter": "2025Q4"}
        known |= {"delegation": self.delegation, "change": self.change, "erasure": self.erasure}
        return known | {"model": "gas-leak", "version": "1", "pack": "us-nyc-ll144", "number": "1"}

    def routes(self) -> set[tuple[str, str]]:
        """Every method and path the application answers, those it describes to nobody included."""
        found, waiting = set(), list(self.client.app.routes)  # type: ignore[attr-defined]
        while waiting:
            route = waiting.pop()
            if hasattr(route, "original_router"):
                waiting += route.original_router.routes
            elif hasattr(route, "methods"):
                found |= {(method.lower(), route.path) for method in route.methods - {"HEAD", "OPTIONS"}}
        return found

    def ask(self, method: str, path: str, role: Role | None, scope: str = "everywhere", **options: Any) -> Any:
        """Ask as somebody, or as nobody."""
        headers = dict(options.pop("headers", {}))
        if role is not None:
            headers["Authorization"] = f"Bearer {self.tokens[role, scope]}"
        return self.client.request(method, path, headers=headers, **options)


def open_doors(house: House) -> Doors:
    """Fill a house and open its HTTP door."""
    service = house.service
    service.people._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # tests sign in often
    tokens, people = {}, {}
    for role in Role:
        for scope, site in SCOPES.items():
            subject = "w-1" if role is Role.EMPLOYEE else None
            made = service.people.add(f"{role.value}-{scope}", role, site=site, subject=subject)
            tokens[role, scope] = made.token
            people[role, scope] = replace(service.people.by_token(made.token))
    disclosed(house)
    house.approved()
    frame = rows(3, seed=9)[list(SENSORS)]
    decisions = house.decide(X=frame, subjects=["w-1", "w-2", None]).decisions
    officer = people[Role.DSO, "here"]
    service.reviews.review(decisions[1].id, Judgement.CONFIRM, by=officer, reason="it was looked at")
    submission = house.submitted(name="gas-peak", seed=3).id
    owner = service.people.person(service.people.add("owner", Role.ML_ENGINEER).user)
    job = ask_for_submission(service, b"no zip", "somebody's own.zip", by=owner).id
    draft = service.drafts.begin(by=owner, fields={"model.name": "somebody's own"}).id
    worker = people[Role.EMPLOYEE, "here"]
    appeal = service.appeals.ask(decisions[0].id, Asks.EXPLANATION, by=worker, reason="I was not on site").id
    service.compliance.take_snapshot(by=OFFICER)
    sign_first_pack(service)
    at_work = service.book.of_version("gas-leak", "1")
    service.papers.publications.publish(BIAS_AUDIT, at_work, an_audit().as_json(), by=OFFICER)
    toml = service.rulebook.source.replace(b"grace_hours = 24", b"grace_hours = 12")
    revision = service.rule_changes.propose(toml, by=OFFICER, reason="half a day is enough").id
    until = service.clock() + timedelta(days=30)
    delegation = service.delegations.give(Tier.L1, by=officer, reason="small models", until=until).id
    high = {"severity": "serious_injury", "autonomy": "permit", "persons": "none"}
    grave = house.submitted(name="gas-grave", seed=4, impact=high).id
    lower = service.tier_changes.change(grave, Tier.L2, by=officer, reason="nobody is near").id
    erasure = service.erasures.ask("w-8", by=people[Role.DSO, "everywhere"], reason="asked for by the person").id
    other = Scope(models=("another-model",))
    narrowed = {role: service.people.new_token(people[role, "everywhere"].name, scope=other) for role in Role}
    client = TestClient(create_app(service), raise_server_exceptions=False)
    ids = (decisions[0].id, submission, job, appeal, revision, delegation, lower, erasure, draft)
    return Doors(house, client, tokens, people, *ids, narrowed)


def sign_first_pack(service: Service) -> None:
    """Adopt one regulation pack, so that there is a signed revision."""
    pack = service.compliance.pack("us-nist-ai-rmf")
    service.pack_revisions.adopt(pack.id, by=OFFICER, reason="it was read", digest=pack.digest)


def disclosed(house: House) -> None:
    """Release the quarter before, in which nothing was decided, and prepare it once more."""
    quarter = Quarter(2025, 4)
    house.service.measures.record(
        quarter_of(house.clock()),
        by=OFFICER,
        says=Sentence(en="look", zh="检查"),
        indicator="miss_rate",
        target=0.1,
        owner="safety",
    )
    draft = house.service.disclosing.prepare(quarter, by=OFFICER)
    house.service.disclosing.release(quarter, by=OFFICER, digest=draft.digest)
    house.service.disclosing.prepare(quarter, by=OFFICER)


def rows_of(n: int = 2, **columns: Any) -> dict[str, Any]:
    """Rows as plant systems send them."""
    frame = rows(n, seed=9)[list(SENSORS)].assign(**columns)
    return {"dataframe_split": {"columns": list(frame.columns), "data": frame.to_numpy().tolist()}}


def a_bundle(doors: Doors, folder: Path) -> Path:
    """An evidence bundle as a file."""
    file = folder / "bundle.json"
    file.write_text(json.dumps(doors.house.service.telling.evidence(doors.decision)), encoding="utf-8")
    return file


def let_tokens_be_forgotten() -> None:
    """Wait until the lean road has forgotten whose token it saw."""
    time.sleep(1.05)
