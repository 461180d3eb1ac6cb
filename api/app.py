"""The HTTP door: one application over one service. Routes read, hand over, and answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp

from api.answering import BodyLimit, Fronted, guard, handle_faults
from api.console.mounting import add_console
from api.hot_path import HotPath
from api.logs import CallLog
from api.patience import Patience
from api.routes import (
    appeals,
    decisions,
    disclosures,
    erasures,
    governing,
    health,
    hints,
    invocations,
    jobs,
    log,
    metrics,
    models,
    open_inference,
    papers,
    people,
    regulations,
    reports,
    reviews,
    rules,
    submissions,
    uses,
)
from api.settings import Settings
from api.spans import Spans, tracer_to
from api.wiring import Service
from governance.micro_batches import MicroBatches

ROUTES = (
    health,
    models,
    submissions,
    governing,
    uses,
    jobs,
    decisions,
    reviews,
    appeals,
    log,
    reports,
    papers,
    disclosures,
    rules,
    regulations,
    people,
    erasures,
    hints,
    open_inference,
    invocations,
    metrics,
)


def create_app(
    service: Service, before_close: Callable[[], None] = lambda: None, *, patience: Patience | None = None
) -> FastAPI:
    """Return the application. It owns the service and closes it at shutdown, after `before_close`.

    `patience` says how long requests wait before only their alarms are answered.
    """

    batches = MicroBatches(service.serving)
    patience = patience or Patience()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        batches.close()
        patience.close()
        before_close()
        service.close()

    app = Fronted(
        title="Mingjing",
        version="0.1.0",
        description="Explainable-AI governance and algorithm audit for models that predict industrial risk.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    app.state.patience, app.state.batches = patience, batches
    for routes in ROUTES:
        app.include_router(routes.router)
    add_console(app)
    handle_faults(app)
    guard(app)
    app.add_middleware(GZipMiddleware, minimum_size=2000)
    app.add_middleware(BodyLimit)
    road = HotPath(app.behind, service=service, batches=batches, patience=patience)
    app.front = watched(road, service.settings)
    app.lean_road = road if app.front is road else None
    return app


def watched(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Return an application with what watches calls around it, where the settings ask for it."""
    if settings.otlp_url is not None:
        app = Spans(app, tracer_to(settings.otlp_url))
    return CallLog(app) if settings.log_format == "json" else app
