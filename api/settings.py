"""What the operator sets from outside; the only place that reads the environment."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from policies.errors import Malformed, Sentence


class Settings(BaseSettings):
    """Every setting, each also an environment variable with the prefix `MINGJING_`.

    Attributes
    ----------
    data : Path
        Folder that holds everything of the embedded default: database, MLflow store, artifacts, keys.
    database_url : str or None
        `sqlite:///…` or `postgresql://…`; None uses `mingjing.db` in the data folder.
    mlflow_uri : str or None
        Tracking and registry server; None uses `mlflow.db` in the data folder.
    rulebook : Path or None
        Rulebook a new house begins with; None uses the built-in one.
    negative_list : Path or None
        Folder with the house's own scenarios and tightenings of the negative list.
    regulations : Path or None
        Folder with the company's own regulation packs, beside the built-in ones or in their place.
    signing_certificate, signing_passphrase : Path or None
        PKCS#12 file with the key that signs PDFs, and the file whose first line opens it; None signs nothing.
    endpoint_hosts : tuple of str
        Endpoints a service may call when a submission names one, each "host" or "host:port"; a JSON list.
    endpoint_token : str or None
        Bearer token for those endpoints; sent to no other.
    host, port : str, int
        Where `mingjing serve` listens.
    witnesses : tuple of str
        Witnesses asked once an hour while serving, each "ADDRESS KEY"; in the environment a JSON list.
    timestamp_url, timestamp_authority : str, Path or None
        Time-stamping authority (RFC 3161) asked once a day while serving, and the PEM file of its root.
    language : str
        Language of the command line and of problems without one: "en" or "zh".
    token : str or None
        Token under which the command line acts; None acts as the local operator.
    """

    model_config = SettingsConfigDict(env_prefix="MINGJING_", frozen=True)

    data: Path = Path("mingjing-data")
    database_url: str | None = None
    mlflow_uri: str | None = None
    rulebook: Path | None = None
    negative_list: Path | None = None
    regulations: Path | None = None
    signing_certificate: Path | None = None
    signing_passphrase: Path | None = None
    endpoint_hosts: tuple[str, ...] = ()
    endpoint_token: str | None = None
    host: str = "127.0.0.1"
    port: int = 8400
    token: str | None = None
    witnesses: tuple[str, ...] = ()
    timestamp_url: str | None = None
    timestamp_authority: Path | None = None
    language: str = "en"

    @property
    def database(self) -> str:
        """Address of the database."""
        return self.database_url or f"sqlite:///{self.data.resolve() / 'mingjing.db'}"

    @property
    def mlflow(self) -> str:
        """Address of the MLflow store."""
        return self.mlflow_uri or f"sqlite:///{self.data.resolve() / 'mlflow.db'}"


def read_settings(data: Path | None = None) -> Settings:
    """Read the settings, with another data folder where one is given.

    Raises
    ------
    Malformed
        With every setting that cannot be understood.
    """
    try:
        settings = Settings()
    except ValidationError as wrong:
        raise Malformed(*(_fault(found) for found in wrong.errors())) from wrong
    return settings if data is None else settings.model_copy(update={"data": data})


def _fault(found: ErrorDetails) -> Sentence:
    name = "MINGJING_" + "_".join(str(part) for part in found["loc"]).upper()
    return Sentence(
        en=f"the setting {name} is {found['input']!r}: {found['msg']}",
        zh=f"设置项 {name} 的值为 {found['input']!r}：{found['msg']}",
    )


def keep_libraries_quiet() -> None:
    """Tell libraries that report home not to. Call it before the first of them is imported."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # noqa: TID251 - the one place for it
    os.environ.setdefault("DO_NOT_TRACK", "true")  # noqa: TID251 - the one place for it
