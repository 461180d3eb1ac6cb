"""What every route shares: the service, and who asks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header, Query, Request

from api.routes.asking import SESSION as SESSION
from api.routes.asking import Asking as Asking
from api.routes.asking import person_of as person_of
from api.routes.asking import token_of as token_of
from api.views import require_reader as require_reader
from api.views import view_of as view_of
from api.wiring import Service


def service_of(request: Request) -> Service:
    """Return the service behind this application."""
    service: Service = request.app.state.service
    return service


def address_of(request: Request) -> str | None:
    """Return where the caller sits, as the network says; behind a proxy of this machine, as that proxy says."""
    return request.client.host if request.client is not None else None


def purpose_of_query(request: Request, stated: Annotated[str | None, Header(alias="X-Mingjing-Purpose")] = None) -> str:
    """Return what a query is for: the header, else the caller's own. Refused and logged where it turns on people."""
    person = person_of(request)
    require_reader(person)
    return service_of(request).reading.purpose(stated, person, asked=request.query_params.keys())


HouseService = Annotated[Service, Depends(service_of)]
Purposed = Annotated[str, Depends(purpose_of_query)]
Cursor = Annotated[str | None, Query(description="Cursor of the page before.")]
Since = Annotated[datetime | None, Query(alias="from", description="From this moment on.")]
Until = Annotated[datetime | None, Query(alias="to", description="Before this moment.")]
Limit = Annotated[int, Query(ge=1, le=200)]
Language = Annotated[str, Query(alias="lang", pattern="^(zh|en)$")]
