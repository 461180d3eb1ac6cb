"""A house behind a real server for the console's tests: real claims, one model at work, one waiting, one hostile."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import uvicorn

from api.app import create_app
from api.demo.submissions import CHOSEN, STORIES, TRAINED, claims, write_submission
from api.settings import Settings
from api.wiring import Service, open_service
from api.work import Worker
from governance.approvals import Verdict
from governance.submissions import SubmissionRecord
from model_registry.memory_store import MemoryStore
from policies.roles import Role

DECIDED = 60
EVALUATED = 400
SCRIPT = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(1)>"
QUOTED = 'x" onmouseover="alert(1)\' &amp;'

PEOPLE: tuple[tuple[str, Role, dict[str, str]], ...] = (
    ("lin", Role.ML_ENGINEER, {}),
    ("drafter", Role.ML_ENGINEER, {}),
    ("mei", Role.DSO, {}),
    ("zhao", Role.REVIEWER, {}),
    ("qian", Role.REGULATOR, {}),
    ("admin", Role.ADMIN, {}),
    ("committee", Role.COMMITTEE, {}),
    ("plant-system", Role.SERVICE, {}),
    ("elsewhere", Role.REVIEWER, {"site": "plant-99"}),
)


@dataclass(frozen=True, kw_only=True)
class House:
    """An open service, the address it answers at, and what is in it."""

    service: Service
    url: str
    passwords: dict[str, str]
    sound: SubmissionRecord
    waiting: SubmissionRecord
    second: SubmissionRecord
    hostile: SubmissionRecord
    alarm: str
    quiet: str
    hostile_decision: str
    employee_decision: str
    newer_decision: str
    draft: str

    def person(self, name: str) -> Browser:
        """A signed-in HTTP client, without a browser."""
        client = Browser(self.url)
        client.sign_in(name, self.passwords[name])
        return client

    def once(self, name: str) -> str:
        """A fresh one-time link for an account."""
        return f"{self.url}/login/once?token={self.service.people.once(name)}"


class Browser:
    """What a browser does with forms and cookies, and nothing more."""

    def __init__(self, url: str) -> None:
        # Nothing is kept open, so that a test need not close what it opened.
        once = httpx.Limits(max_keepalive_connections=0)
        self.client = httpx.Client(base_url=url, timeout=60, headers={"accept-language": "en"}, limits=once)

    def get(self, address: str, **headers: str) -> httpx.Response:
        """Fetch a page without following redirects."""
        return self.client.get(address, headers=headers)

    def post(self, address: str, data: dict[str, str] | None = None, *, page: str, **more: Any) -> httpx.Response:
        """Send a form as it stands on `page`: with its token."""
        token = token_in(self.client.get(page).text)
        return self.client.post(address, data={"form_token": token, **(data or {})}, **more)

    def sign_in(self, name: str, password: str) -> httpx.Response:
        """Sign in by the form."""
        return self.post("/login", {"name": name, "password": password}, page="/login")


def token_in(page: str) -> str:
    """Return the form token of a page."""
    found = re.search(r'name="form_token" value="([0-9a-f]{128})"', page)
    assert found is not None, "the page has no form token"
    return found.group(1)


@cache
def opened_house(at_end: Callable[[Callable[[], None]], None]) -> House:
    """Open the house once for all tests of this process."""
    folder = Path(tempfile.mkdtemp(prefix="console-"))
    service = open_service(Settings(data=folder / "data"), door="test", store=MemoryStore(folder / "models"))
    passwords = {name: service.people.add(name, role, **extra).password for name, role, extra in PEOPLE}
    frame = claims().iloc[: TRAINED + CHOSEN + EVALUATED]
    lin, mei, plant = (service.people.person(name) for name in ("lin", "mei", "plant-system"))

    sound = service.submit(write_submission(STORIES[2], frame, folder / "sound"), by=lin)
    conditions = [{"kind": "review_alarms"}]
    service.give_verdict(sound.id, Verdict.APPROVE, by=mei, reason=f"A person looks. {SCRIPT}", conditions=conditions)
    rows = frame.iloc[TRAINED + CHOSEN :].head(DECIDED)
    since = service.clock() - timedelta(days=2)
    # The worker has two decisions about him: one that tests contest over HTTP, a newer one for the browser.
    subjects = [rows["claim"].iloc[0], *rows["claim"].iloc[:-1]]
    decided = service.serving.decide(
        sound.model,
        rows[list(STORIES[2].features)],
        purpose="risk_intervention",
        by=plant,
        subjects=subjects,
        times=[since + timedelta(minutes=20 * number) for number in range(len(rows))],
    )
    made = [decision for decision in decided.decisions if decision is not None]
    worker = service.people.add("worker", Role.EMPLOYEE, subject=str(rows["claim"].iloc[0]))
    passwords["worker"] = worker.password

    waiting = service.submit(write_submission(STORIES[0], frame, folder / "waiting"), by=lin)
    second = service.submit(write_submission(STORIES[2], frame.iloc[50:], folder / "second"), by=lin)
    hostile = service.submit(_hostile_submission(folder / "hostile"), by=lin)
    service.give_verdict(hostile.id, Verdict.APPROVE, by=mei, reason=IMAGE)
    one = service.serving.decide(
        hostile.model,
        pd.DataFrame({QUOTED: [1.5], "pressure": [0.2]}),
        purpose="risk_intervention",
        by=plant,
    ).decisions[0]
    assert one is not None

    mostly = {"model.name": QUOTED, "model.artifact": IMAGE, "feature.0.name": SCRIPT, "use.description": SCRIPT}
    draft = service.drafts.begin(by=service.people.person("drafter"), fields=mostly)

    server = uvicorn.Server(
        uvicorn.Config(create_app(service), host="127.0.0.1", port=0, log_level="error", ws="none", loop="asyncio")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    stop = threading.Event()
    worker = threading.Thread(target=Worker(service).work_until, args=(stop,), daemon=True)
    worker.start()

    def close() -> None:
        stop.set()
        worker.join(20)
        server.should_exit = True
        thread.join(20)
        shutil.rmtree(folder, ignore_errors=True)

    at_end(close)
    return House(
        service=service,
        url=f"http://127.0.0.1:{port}",
        passwords=passwords,
        sound=service.book.get(sound.id),
        waiting=waiting,
        second=second,
        hostile=service.book.get(hostile.id),
        alarm=next(str(d.id) for d in made[2:] if d.verdict),
        quiet=next(str(d.id) for d in made[2:] if not d.verdict),
        hostile_decision=str(one.id),
        employee_decision=str(made[0].id),
        newer_decision=str(made[1].id),
        draft=draft.id,
    )


def _hostile_submission(folder: Path) -> Path:
    """Write a submission whose every name and sentence tries to become markup."""
    import xgboost

    folder.mkdir()
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({QUOTED: rng.normal(size=400), "pressure": rng.normal(size=400)})
    truth = (frame[QUOTED] + 0.5 * frame["pressure"] + 0.4 * rng.normal(size=400) > 0).astype(int)
    model = xgboost.XGBClassifier(n_estimators=12, max_depth=2, random_state=7, n_jobs=1)
    model.fit(frame, truth)
    model.get_booster().save_model(folder / "model.ubj")
    frame["harm"], frame["band"] = truth, np.where(rng.random(400) < 0.5, IMAGE, "plain")
    frame.to_csv(folder / "evaluation.csv", index=False)
    story = replace(STORIES[2], name="hostile")
    quoted = QUOTED.replace('"', '\\"')
    (folder / "submission.toml").write_text(
        f"""[model]
name = "{story.name}"
artifact = "model.ubj"
flavour = "xgboost"
task = "classification"
threshold = 0.5
protective = "at_or_above"
[use]
purpose = "risk_intervention"
description = "{SCRIPT}"
site = "plant-07"
owner = "{IMAGE}"
[data]
evaluation = "evaluation.csv"
label = "harm"
groups = ["band"]
sources = [{{ name = "{SCRIPT}", period = "{IMAGE}", licence = "{SCRIPT}" }}]
[impact]
severity = "injury"
autonomy = "advice"
reversibility = "easy"
persons = "none"
time_to_intervene = "days"
[features."{quoted}"]
unit = "{IMAGE}"
range = [-5, 5]
label = {{ en = "{SCRIPT}", zh = "{SCRIPT}" }}
[features.pressure]
range = [-5, 5]
""",
        encoding="utf-8",
    )
    return folder
