"""The Python door: check a submission and decide with a permitted model, over the same wiring as the other doors."""

from __future__ import annotations

from pathlib import Path

from api.checking import check_directory
from api.settings import read_settings
from api.wiring import open_service
from audit.checks.check import Finding
from governance.governed_model import GovernedModel
from policies.roles import Person, Role


def check(directory: str | Path) -> tuple[Finding, ...]:
    """Run every check on a submission directory. No server, no registry, nothing stored.

    Parameters
    ----------
    directory : path
        Holds `submission.toml` and the files it names.

    Returns
    -------
    tuple of Finding
        In the order of the report; `finding.holds` is None where a check cannot conclude.

    Raises
    ------
    Malformed
        With everything that is missing or wrong, at once.
    """
    return check_directory(read_settings(), Path(directory)).findings


def governed(name: str, *, data: str | Path | None = None, token: str | None = None) -> GovernedModel:
    """Return the version of a model that holds a live permit now.

    Parameters
    ----------
    name : str
        Registered model name.
    data : path, optional
        Data folder; None takes `MINGJING_DATA` or `./mingjing-data`.
    token : str, optional
        Token of the calling service; None takes `MINGJING_TOKEN`, else the local operator calls.

    Raises
    ------
    MayNotRun
        When there is no live permit; names `manual_control` as fallback.
    NotSignedIn
        When the token is wrong or expired.
    NotAllowed
        When its holder may not call models.
    """
    settings = read_settings(Path(data) if data is not None else None)
    service = open_service(settings, door="python")
    try:
        held = token or settings.token
        person = service.people.by_token(held) if held is not None else LOCAL
        service.serving.served(name, person)
    except BaseException:
        service.close()
        raise
    return GovernedModel(name, service.serving, person, service.close)


LOCAL = Person(name="local-service", role=Role.SERVICE)
