"""Drafts over HTTP: every fault beside its field, nothing typed is lost, and nobody else sees one."""

from __future__ import annotations

import re
import threading
import tomllib
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.demo.submissions import CHOSEN, STORIES, TRAINED, claims, write_submission
from governance.drafts import DraftLimits
from policies.roles import Role
from tests.api.console_house import EVALUATED, IMAGE, SCRIPT, Browser, House, opened_house, token_in


@pytest.fixture(scope="module")
def house(request: pytest.FixtureRequest) -> House:
    return opened_house(request.config.add_cleanup)


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frame = claims().iloc[: TRAINED + CHOSEN + EVALUATED]
    return write_submission(STORIES[0], frame, tmp_path_factory.mktemp("drafts") / "handed")


@pytest.fixture
def lin(house: House) -> Browser:
    return house.person("lin")


@pytest.fixture
def address(house: House, lin: Browser) -> Iterator[str]:
    made = lin.post("/drafts", page="/submissions/new")
    assert made.status_code == 303
    yield made.headers["location"]
    person = house.service.people.person("lin")
    for draft in house.service.drafts.of(person):
        house.service.drafts.discard(draft.id, by=person)


def send(
    browser: Browser, address: str, act: str, fields: dict[str, str] | None = None, **files: Any
) -> httpx.Response:
    named = {name.replace("_", ".", 1): file for name, file in files.items()}
    return browser.post(address, {"act": act, **(fields or {})}, page=address, files=named or None)


def beside(page: str, field: str) -> str:
    """What is said beside a field."""
    found = re.search(rf'<div class="fault" id="e-f-{field}">(.*?)</div>', page, re.DOTALL)
    return unescape(re.sub(r"<[^>]+>", "", found[1])).strip() if found else ""


def until_over(house: House, job: str) -> None:
    """Wait for the worker beside the house."""
    for _ in range(1200):
        if house.service.jobs.get(job).over:
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"job {job} did not end")


WHOLE = {
    "model.name": "by-form",
    "model.flavour": "xgboost",
    "use.purpose": "risk_intervention",
    "use.site": "plant-07",
    "use.owner": "team",
    "use.description": "Will it take long?",
    "data.label": "nonsense",
}


class TestBegin:
    def test_is_listed_for_its_author(self, house: House, lin: Browser, address: str) -> None:
        for page in ("/submissions", "/submissions/new"):
            assert f'href="{address}"' in lin.get(page).text
        assert "Your drafts" not in house.person("mei").get("/submissions").text

    def test_there_is_an_end_to_how_many(self, house: House, lin: Browser, address: str) -> None:
        answers = [lin.post("/drafts", page="/submissions/new") for _ in range(house.service.drafts.limits.count)]
        assert [answer.status_code for answer in answers] == [303] * 9 + [409]
        assert "you keep 10 drafts, and at most 10 are kept" in unescape(answers[-1].text)


class TestForeign:
    def test_is_absent_for_everybody_else(self, house: House, lin: Browser, address: str) -> None:
        other = house.service.people.add("other-engineer", Role.ML_ENGINEER)
        browser = Browser(house.url)
        browser.sign_in("other-engineer", other.password)
        nobody = "/drafts/00000000-0000-7000-8000-000000000000"
        for part in ("", "/submission.toml"):
            assert browser.get(address + part).status_code == browser.get(nobody + part).status_code == 404
        for part in ("", "/discard"):
            assert browser.post(address + part, {"act": "save"}, page="/submissions/new").status_code == 404
        house.service.people.disable("other-engineer")
        assert lin.get(address).status_code == 200

    @pytest.mark.parametrize("name", ["mei", "admin", "qian", "zhao", "worker"])
    def test_other_roles_may_not(self, house: House, address: str, name: str) -> None:
        assert house.person(name).get(address).status_code == 403


class TestForms:
    @pytest.mark.parametrize("part", ["", "/discard"])
    def test_refuse_without_their_token(self, house: House, lin: Browser, address: str, part: str) -> None:
        assert lin.client.post(address + part, data={"act": "save"}).status_code == 403
        assert lin.client.post("/drafts", data={}).status_code == 403
        foreign = {"form_token": token_in(lin.get(address).text)}
        headers = {"sec-fetch-site": "cross-site"}
        assert lin.client.post(address + part, data=foreign, headers=headers).status_code == 403
        assert lin.get(address).status_code == 200


class TestSave:
    def test_keeps_what_was_typed_however_wrong(self, lin: Browser, address: str) -> None:
        typed = {
            "model.name": "no good name!",
            "model.threshold": "a half",
            "feature.7.name": "x",
            "feature.7.low": "?",
        }
        assert send(lin, address, "save", typed).status_code == 303
        page = lin.get(address).text
        for value in ("no good name!", "a half", "?"):
            assert f'value="{value}"' in page
        assert 'name="feature.0.low" type="text" value="?"' in page
        assert 'class="fault"' not in page

    def test_names_and_files_are_only_text(self, lin: Browser, address: str) -> None:
        typed = {
            "model.name": SCRIPT,
            "feature.0.name": IMAGE,
            "source.0.name": '"><b>',
            "use.description": "</textarea>" + SCRIPT,
        }
        answer = send(lin, address, "save", typed, file_evaluation=(f"{IMAGE}.csv", b"a,b\n"))
        assert answer.status_code == 303
        for place in (address, "/submissions", "/submissions/new"):
            page = lin.get(place).text
            assert SCRIPT not in page
            assert IMAGE not in page
            assert '"><b>' not in page

    def test_a_file_leads_out_of_no_folder(self, house: House, lin: Browser, address: str) -> None:
        send(
            lin,
            address,
            "save",
            file_training=("../../../etc/passwd", b"a\n1\n"),
            file_artifact=("submission.toml", b"x"),
        )
        draft = house.service.drafts.of(house.service.people.person("lin"))[0]
        assert {role: file.name for role, file in draft.files.items()} == {
            "training": "passwd",
            "artifact": "artifact-submission.toml",
        }
        folder = house.service.drafts.path(draft.id, "training").parent
        assert sorted(path.name for path in folder.iterdir()) == ["artifact", "training"]

    def test_a_file_is_replaced_and_removed(self, house: House, lin: Browser, address: str) -> None:
        send(lin, address, "save", file_evaluation=("one.csv", b"a\n1\n"))
        send(lin, address, "save", file_evaluation=("two.csv", b"a\n22\n"))
        assert "two.csv" in lin.get(address).text
        assert "one.csv" not in lin.get(address).text
        send(lin, address, "save", {"drop.evaluation": "1"})
        assert "two.csv" not in lin.get(address).text
        draft = house.service.drafts.of(house.service.people.person("lin"))[0]
        assert not house.service.drafts.path(draft.id, "evaluation").exists()

    def test_more_than_there_is_room_for_is_said_and_what_was_typed_stays(
        self, house: House, lin: Browser, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(house.service.drafts, "limits", DraftLimits(bytes=100))
        answer = send(lin, address, "save", {"model.name": "kept"}, file_evaluation=("a.csv", b"x" * 101))
        assert answer.status_code == 422
        assert "would hold more than 100 bytes" in answer.text
        assert 'value="kept"' in answer.text

    def test_too_long_a_text_comes_back_as_it_was(self, lin: Browser, address: str) -> None:
        answer = send(lin, address, "save", {"use.owner": "x" * 4001})
        assert answer.status_code == 422
        assert "at most 4,000 are kept" in beside(answer.text, "use-owner")
        assert "x" * 4001 in answer.text


class TestColumns:
    def test_stand_as_features_without_what_has_another_part(self, lin: Browser, address: str) -> None:
        typed = {"data.label": "harmed", "data.groups": "sex， shift", "feature.0.name": "age", "feature.0.cap": "0.1"}
        content = "﻿harmed,age,温度,sex,shift,pressure\n1,2,3,4,5,6\n".encode()
        answer = send(lin, address, "columns", typed, file_evaluation=("rows.csv", content))
        assert answer.headers["location"] == f"{address}?done=columns"
        said = tomllib.loads(lin.get(f"{address}/submission.toml").text)
        assert said["features"] == {"age": {"cap": 0.1}, "温度": {}, "pressure": {}}

    def test_need_the_file(self, lin: Browser, address: str) -> None:
        answer = send(lin, address, "columns")
        assert answer.status_code == 422
        assert "choose the evaluation file first" in beside(answer.text, "data-evaluation")

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [(b"PK\x03\x04", "Excel"), (b"\xff\xfe\x00", "is not UTF-8"), (b"a,a\n", "several columns of one name")],
    )
    def test_of_no_table_are_one_sentence(self, lin: Browser, address: str, content: bytes, sentence: str) -> None:
        answer = send(lin, address, "columns", file_evaluation=("rows.csv", content))
        assert answer.status_code == 422
        assert sentence in beside(answer.text, "data-evaluation")

    def test_more_than_a_form_keeps(self, lin: Browser, address: str) -> None:
        wide = ",".join(f"c{number}" for number in range(300)).encode() + b"\n"
        answer = send(lin, address, "columns", file_evaluation=("rows.csv", wide))
        assert "hand the submission in as a zip" in beside(answer.text, "data-evaluation")


class TestHandIn:
    def test_says_every_fault_beside_its_field_and_keeps_everything(self, lin: Browser, address: str) -> None:
        typed = {
            "model.name": "no name!",
            "model.threshold": "7",
            "model.artifact": "http://10.0.0.1/model",
            "data.evaluation": "runs:/abc/%2e%2e/secret.csv",
            "feature.0.name": "age",
            "feature.0.cap": "2",
            "feature.1.name": "age",
            "feature.2.unit": "m",
            "feature.3.name": "heat.in",
            "feature.3.low": "5",
            "track.0.name": "safety",
        }
        answer = send(lin, address, "hand_in", typed)
        assert answer.status_code == 422
        said = {
            "model-name": "may hold letters",
            "model-flavour": "expected one of xgboost",
            "model-threshold": "a classification threshold lies in [0, 1]",
            "model-artifact": "is no artifact address",
            "data-evaluation": "is no address of a file",
            "data-label": "must be a text that is not empty",
            "use-purpose": "must be a text that is not empty",
            "feature-1-name": "has 2 rows",
            "feature-2-name": "without a name",
            "feature-3-low": "must be [low, high]",
            "track-0-column": "the column it stands in",
        }
        assert {field: sentence for field, sentence in said.items() if sentence not in beside(answer.text, field)} == {}
        for value in typed.values():
            assert f'value="{value}"' in answer.text
        for field in said:
            assert f'href="#f-{field}"' in answer.text

    def test_a_column_that_is_not_there_is_said_at_once(self, lin: Browser, address: str, handed: Path) -> None:
        answer = send(
            lin,
            address,
            "hand_in",
            WHOLE,
            file_evaluation=("evaluation.csv", (handed / "evaluation.csv").read_bytes()),
            file_artifact=("model.ubj", (handed / "model.ubj").read_bytes()),
        )
        assert answer.status_code == 422
        assert "names the column 'nonsense', which is not there" in beside(answer.text, "data-label")
        assert "evaluation.csv" in answer.text

    def test_both_file_and_address(self, lin: Browser, address: str) -> None:
        answer = send(lin, address, "hand_in", {"model.artifact": "models:/a/1"}, file_artifact=("m.ubj", b"x"))
        assert "remove one of them" in beside(answer.text, "model-artifact")

    def test_what_the_examination_finds_comes_back_to_the_form(self, house: House, lin: Browser, address: str) -> None:
        rows = b"harmed,x\n" + b"1,1\n" * 5
        fields = {**WHOLE, "data.label": "harmed", "feature.0.name": "x"}
        answer = send(
            lin, address, "hand_in", fields, file_evaluation=("rows.csv", rows), file_artifact=("m.ubj", b"x")
        )
        job = answer.headers["location"]
        assert job.startswith("/jobs/")
        until_over(house, job.removeprefix("/jobs/"))
        assert f'href="{address}"' in lin.get(job).text
        page = lin.get(address).text
        assert "is 1 in all 5 rows" in beside(page, "data-label")
        send(lin, address, "save", fields)
        assert 'class="fault"' not in lin.get(address).text


class TestDiscard:
    def test_takes_the_files_along(self, house: House, lin: Browser, address: str) -> None:
        send(lin, address, "save", file_evaluation=("one.csv", b"a\n1\n"))
        folder = house.service.drafts.path(address.removeprefix("/drafts/"), "evaluation").parent
        assert folder.is_dir()
        assert lin.post(f"{address}/discard", page=address).headers["location"] == "/submissions?done=discarded"
        assert lin.get(address).status_code == 404
        assert not folder.exists()
