"""The Python door: check a submission and decide with a permitted model, over the same wiring as the other doors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from api.checking import check_directory
from api.settings import read_settings
from api.wiring import Service, open_service
from audit.checks.check import Finding
from audit.traced_inference import Decided
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
    return GovernedModel(name, service, person)


LOCAL = Person(name="local-service", role=Role.SERVICE)


class GovernedModel:
    """A model behind its permit. The permit is asked at every call, not only at the first.

    Close it when done, or use it in a `with` block.
    """

    def __init__(self, name: str, service: Service, person: Person) -> None:
        self.name = name
        self._service = service
        self._person = person

    def predict(self, X: object, *, purpose: str | None = None, subjects: Sequence[object] | None = None) -> Decided:
        """Decide every row of `X`; each answer is explained and durably traced before it is returned.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_features)
            Columns by name, or in the order of the model's features; NaN is a missing reading.
        purpose : str, optional
            What the answers are for; None takes the one bound to the token.
        subjects : sequence, optional
            Raw ids of the persons concerned, one per row; only their pseudonyms are kept.

        Returns
        -------
        Decided
            `decisions` in the order of the rows, None where one was refused, and `problems` that say why.

        Raises
        ------
        MayNotRun, PurposeRefused, WrongPurpose, NotAllowed, Malformed
        """
        return self._service.serving.decide(self.name, X, purpose=purpose, by=self._person, subjects=subjects)

    def close(self) -> None:
        """Let go of log and database."""
        self._service.close()

    def __enter__(self) -> GovernedModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
