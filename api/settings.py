"""What the operator sets from outside; the only place that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from policies.errors import Malformed, Sentence
from policies.roles import Role


class MessageTo(BaseModel):
    """Where messages go."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(repr=False)
    languages: tuple[Literal["zh", "en"], ...] = Field(default=("zh", "en"), min_length=1)
    kinds: tuple[str, ...] | None = None


class WebhookTo(BaseModel):
    """Where signed webhooks go."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    secret: str = Field(repr=False)
    kinds: tuple[str, ...] | None = None


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
    public_url : str or None
        Address under which browsers reach this house; needed for the company's sign-in.
    oidc_issuer, oidc_client_id, oidc_client_secret : str or None
        The company's OpenID Connect provider and this house as registered there; None offers local accounts alone.
    oidc_roles : mapping of str
        Values of the role claim and the role each stands for; in the environment a JSON object.
    oidc_role_claim, oidc_name_claim, oidc_site_claim : str
        Claims that hold role, account name and site; no site claim means every site.
    notify : tuple of tables
        Messages: each `{"url", "languages", "kinds"}`, the address as apprise reads it; in the environment a JSON list.
    webhooks : tuple of tables
        Signed webhooks: each `{"url", "secret", "kinds"}`; in the environment a JSON list.
    webhook_allow : tuple of str
        Networks that are not public and webhooks may reach all the same; in the environment a JSON list.
    mlflow_webhook_secret : str or None
        Secret under which MLflow signs its registry webhooks; None takes none in.
    otlp_url : str or None
        Where `mingjing serve` sends spans of OpenTelemetry (OTLP over HTTP); None sends none.
    log_format : str
        How `mingjing serve` logs: "text", or "json" with a line for every call.
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
    public_url: str | None = None
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = Field(default=None, repr=False)
    oidc_roles: Mapping[str, Role] | None = None
    oidc_role_claim: str = "roles"
    oidc_name_claim: str = "preferred_username"
    oidc_site_claim: str | None = None
    notify: tuple[MessageTo, ...] = ()
    webhooks: tuple[WebhookTo, ...] = ()
    webhook_allow: tuple[str, ...] = ()
    mlflow_webhook_secret: str | None = Field(default=None, repr=False)
    otlp_url: str | None = None
    log_format: Literal["text", "json"] = "text"
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
    # What a channel or a provider is set to holds secrets; it is not repeated.
    shown = "…" if any(word in name for word in ("NOTIFY", "WEBHOOK", "SECRET", "TOKEN")) else repr(found["input"])
    return Sentence(
        en=f"the setting {name} is {shown}: {found['msg']}", zh=f"设置项 {name} 的值为 {shown}：{found['msg']}"
    )


def keep_libraries_quiet() -> None:
    """Tell libraries that report home not to. Call it before the first of them is imported."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # noqa: TID251 - the one place for it
    os.environ.setdefault("DO_NOT_TRACK", "true")  # noqa: TID251 - the one place for it
