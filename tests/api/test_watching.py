"""Spans carry the decision id under the caller's trace, logs are lines for machines; neither tells of persons."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.logs import CallLog, JsonLines
from api.settings import read_settings
from api.spans import MOST_IDS, NoExporter, Spans, tracer_to
from policies.errors import Malformed
from policies.roles import Role
from tests.api.doors import Doors, rows_of

URL = "/v1/models/gas-leak/invocations"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Any:
    """What is sent, kept in memory instead."""
    trace = pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry-sdk is not installed")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    provider = trace.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return kept, provider.get_tracer("test")


def ask(doors: Doors, app: Any, path: str = URL, **options: Any) -> Any:
    """Ask as the plant through one more layer."""
    headers = {"Authorization": f"Bearer {doors.tokens[Role.SERVICE, 'everywhere']}", "traceparent": PARENT}
    options.setdefault("json", rows_of(2))
    return TestClient(app, raise_server_exceptions=False).post(path, headers=headers, **options)


class TestSpans:
    @pytest.mark.parametrize("form", ["lean", "ordinary", "tensors"])
    def test_name_model_status_and_decisions_under_the_callers_trace(self, doors: Doors, spans: Any, form: str) -> None:
        kept, tracer = spans
        app = Spans(doors.client.app, tracer)
        if form == "tensors":
            tensor = {"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [20.0, 100.0]}
            answer = ask(doors, app, "/v2/models/gas-leak/infer", json={"inputs": [tensor]})
            ids = next(o["data"] for o in answer.json()["outputs"] if o["name"] == "decision_id")
        else:
            body = rows_of(2) if form == "lean" else {"instances": [[20, 100]]}
            ids = ask(doors, app, json=body).json()["decision_ids"]
        (span,) = kept.get_finished_spans()
        assert span.attributes["mingjing.model"] == "gas-leak"
        assert span.attributes["http.response.status_code"] == 200
        assert list(span.attributes["mingjing.decision_ids"]) == ids
        assert f"{span.context.trace_id:032x}" == PARENT.split("-")[1]

    def test_of_a_large_table_name_the_first(self, doors: Doors, spans: Any) -> None:
        kept, tracer = spans
        ask(doors, Spans(doors.client.app, tracer), json=rows_of(MOST_IDS + 5))
        (span,) = kept.get_finished_spans()
        assert span.attributes["mingjing.decisions"] == MOST_IDS + 5
        assert len(span.attributes["mingjing.decision_ids"]) == MOST_IDS

    def test_of_a_refusal_name_its_status(self, doors: Doors, spans: Any) -> None:
        kept, tracer = spans
        ask(doors, Spans(doors.client.app, tracer), "/v1/models/none/invocations")
        assert kept.get_finished_spans()[0].attributes["http.response.status_code"] == 404

    def test_say_nothing_of_persons_and_readings(self, doors: Doors, spans: Any) -> None:
        kept, tracer = spans
        ask(doors, Spans(doors.client.app, tracer), json={"instances": [[20.125, 100]], "subjects": ["w-secret"]})
        text = kept.get_finished_spans()[0].to_json()
        for secret in ("w-secret", "20.125", "service-everywhere", doors.tokens[Role.SERVICE, "everywhere"]):
            assert secret not in text

    def test_are_made_of_nothing_else(self, doors: Doors, spans: Any) -> None:
        kept, tracer = spans
        TestClient(Spans(doors.client.app, tracer)).get("/v2/health/live")
        assert kept.get_finished_spans() == ()

    def test_cannot_be_sent_without_their_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
        with pytest.raises(NoExporter, match="opentelemetry-exporter-otlp-proto-http is not installed"):
            tracer_to("http://127.0.0.1:4318/v1/traces")


class TestCallLog:
    def test_is_a_line_with_ids_taken_out(self, doors: Doors, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO, "mingjing.calls"):
            TestClient(CallLog(doors.client.app)).get(f"/v1/decisions/{doors.decision}?subject=w-secret")
        (record,) = [record for record in caplog.records if record.name == "mingjing.calls"]
        said = json.loads(JsonLines().format(record))
        assert (said["method"], said["path"], said["status"]) == ("GET", "/v1/decisions/{id}", 401)
        assert said["ms"] >= 0
        assert "w-secret" not in json.dumps(said)

    def test_an_error_is_told_without_its_words(self) -> None:
        try:
            raise ValueError("w-secret is 57 years old")
        except ValueError:
            record = logging.LogRecord("mingjing.http", logging.ERROR, "x", 1, "%s failed", ("a call",), sys.exc_info())
        line = JsonLines().format(record)
        said = json.loads(line)
        assert (said["message"], said["error"], said["level"]) == ("a call failed", "ValueError", "error")
        assert "test_watching.py" in said["at"][0]
        assert "w-secret" not in line


class TestSettings:
    def test_know_two_forms_of_logs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINGJING_LOG_FORMAT", "xml")
        with pytest.raises(Malformed, match="MINGJING_LOG_FORMAT"):
            read_settings()
