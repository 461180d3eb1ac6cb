"""Spans of OpenTelemetry: one for every call that decides, under the caller's own, with the decision ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from policies.errors import Sentence, Unavailable

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

IDS = "mingjing.ids"
"""Where the predict path leaves the ids of what it decided, in the scope of the call."""

MOST_IDS = 100
"""Ids that a span names; a large table has its first."""


class NoExporter(Unavailable):
    """The library that sends spans is not installed."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="MINGJING_OTLP_URL is set, and opentelemetry-exporter-otlp-proto-http is not installed",
                zh="已设置 MINGJING_OTLP_URL，但未安装 opentelemetry-exporter-otlp-proto-http",
            )
        )


def tracer_to(url: str) -> Tracer:
    """Return what makes spans and sends them to a collector in the background. Raises NoExporter."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # type: ignore[import-not-found]
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as missing:
        raise NoExporter from missing
    provider = TracerProvider(resource=Resource.create({"service.name": "mingjing"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    return provider.get_tracer("mingjing")


class Spans:
    """Makes a span of every call that decides. It names model, status and decisions; no caller, no readings."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on within its span."""
        if scope["type"] != "http" or not scope["path"].endswith(("/invocations", "/infer")):
            await self._app(scope, receive, send)
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        parent = extract({name: carrier[name] for name in ("traceparent", "tracestate") if name in carrier})
        with self._tracer.start_as_current_span("decide", context=parent, kind=SpanKind.SERVER) as span:

            async def watched(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attributes(_said(scope, message["status"]))
                await send(message)

            await self._app(scope, receive, watched)


def _said(scope: Scope, status: int) -> dict[str, Any]:
    ids = [id for id in scope.get(IDS, ()) if id is not None]
    parts = scope["path"].split("/")
    return {
        "http.response.status_code": status,
        "mingjing.model": parts[-2] if parts[1] != "v2" else parts[3],
        "mingjing.decisions": len(ids),
        "mingjing.decision_ids": ids[:MOST_IDS],
    }
