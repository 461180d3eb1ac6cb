"""Sign-in with the company's identity provider: OpenID Connect, authorization code with PKCE, roles from a claim.

See docs/decisions/0018-identity.md. The library is imported when somebody signs in this way, and not before.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from api.identity import People
from api.settings import Settings
from api.tokens import NotSignedIn
from audit.entries import Clock
from policies.errors import Malformed, Refused, Sentence, Unavailable
from policies.roles import Role

CALLBACK = "/login/company/callback"
BEGUN_LASTS = timedelta(minutes=10)
LEEWAY = 60
"""Seconds by which the clocks of two houses may differ."""

KEYS_KEPT = timedelta(hours=1)
KEYS_ANEW = timedelta(minutes=1)
"""Unknown keys make us ask again, though not more often than this: a forged header is no lever against the provider."""

TIMEOUT = 10.0
LARGEST_ANSWER = 1_000_000
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures by the provider's own key; `none` and shared secrets are not among them."""


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What the operator set about the company's provider.

    Parameters
    ----------
    issuer : str
        As the provider names itself, to the letter.
    client_id, client_secret : str
        As registered there; without a secret the client is public and PKCE alone protects it.
    redirect : str
        Address of this house's callback, as registered there.
    roles : mapping
        Values of the role claim and the role each stands for here.
    role_claim, name_claim, site_claim : str
        Claims of the ID token; a dot leads into a nested one. No site claim: every site.
    """

    issuer: str
    client_id: str
    redirect: str
    roles: Mapping[str, Role]
    client_secret: str | None = None
    role_claim: str = "roles"
    name_claim: str = "preferred_username"
    site_claim: str | None = None
    scope: str = "openid profile"

    def __post_init__(self) -> None:
        for name, address in (("issuer", self.issuer), ("redirect", self.redirect)):
            if not is_protected(address):
                raise Malformed(
                    Sentence(
                        en=f"the company's sign-in needs https: its {name} is {address!r}",
                        zh=f"企业统一登录须使用 https：其 {name} 为 {address!r}",
                    )
                )


def provider_of(settings: Settings) -> Provider | None:
    """Return the provider the operator set, None where there is none. Raises Malformed when half of one is set."""
    if settings.oidc_issuer is None:
        return None
    if settings.oidc_client_id is None or settings.public_url is None or not settings.oidc_roles:
        needed = ("oidc_client_id", "oidc_roles", "public_url")
        missing = [f"MINGJING_{name.upper()}" for name in needed if not getattr(settings, name)]
        raise Malformed(
            Sentence(
                en=f"MINGJING_OIDC_ISSUER is set, so {', '.join(missing)} must be too",
                zh=f"已设置 MINGJING_OIDC_ISSUER，还须设置 {'、'.join(missing)}",
            )
        )
    return Provider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        redirect=f"{settings.public_url.rstrip('/')}{CALLBACK}",
        roles=settings.oidc_roles,
        role_claim=settings.oidc_role_claim,
        name_claim=settings.oidc_name_claim,
        site_claim=settings.oidc_site_claim,
    )


class ProviderAway(Unavailable):
    """The company's provider did not answer as it should."""

    def __init__(self, why: str) -> None:
        super().__init__(
            Sentence(
                en=f"the company's sign-in did not answer ({why}); try again, or sign in with a local account",
                zh=f"企业统一登录未正常响应（{why}），请重试或使用本地账号登录",
            )
        )


class NotProven(NotSignedIn):
    """What the provider said does not prove who this is."""

    def __init__(self, what: str, chinese: str) -> None:
        super().__init__(
            Sentence(
                en=f"the company's sign-in was not accepted: {what}; begin again from the sign-in page",
                zh=f"未接受企业统一登录：{chinese}；请从登录页重新开始",
            )
        )


class NoRole(Refused):
    """The provider knows the person, and no rule here gives him a role."""

    def __init__(self, claim: str, found: list[str]) -> None:
        shown = ", ".join(found[:5])
        super().__init__(
            Sentence(
                en=f"your company account has no single role here: the claim '{claim}' holds [{shown}]; "
                "ask the administrator to give you exactly one that is mapped",
                zh=f"您的企业账号在此没有唯一对应的角色：声明“{claim}”为 [{shown}]；"
                "请管理员分配且仅分配一个已映射的角色",
            )
        )


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A sign-in on its way, kept in the browser that began it and nowhere else."""

    state: str
    nonce: str
    verifier: str
    wanted: str
    at: float

    def as_cookie(self) -> str:
        """Return it as a cookie's value."""
        return urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()


def read_begun(cookie: str) -> Begun:
    """Return what a browser kept. Raises NotProven."""
    try:
        said = json.loads(urlsafe_b64decode(cookie.encode()))
        return Begun(
            **{name: str(said[name]) for name in ("state", "nonce", "verifier", "wanted")}, at=float(said["at"])
        )
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise NotProven("this browser did not begin it", "并非由本浏览器发起") from error


class CompanySignIn:
    """Leads people to the provider and takes them in when they come back."""

    def __init__(self, provider: Provider, people: People, clock: Clock) -> None:
        self.provider = provider
        self._people = people
        self._clock = clock
        self._lock = threading.Lock()
        self._about: dict[str, Any] | None = None
        self._keys: Any = None
        self._keys_from = 0.0

    def begin(self, wanted: str) -> tuple[str, Begun]:
        """Return the address a browser is led to, and what it has to keep meanwhile."""
        begun = Begun(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            wanted=wanted,
            at=self._now(),
        )
        asked = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": self.provider.redirect,
            "scope": self.provider.scope,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": _challenge(begun.verifier),
            "code_challenge_method": "S256",
        }
        endpoint = str(self._known()["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}", begun

    def complete(self, begun: Begun, answer: Mapping[str, str]) -> str:
        """Return a fresh session for who came back from the provider.

        Parameters
        ----------
        begun : Begun
            What the browser kept.
        answer : mapping
            The query the provider sent it back with.

        Raises
        ------
        NotProven, NoRole, ProviderAway, Conflict
        """
        if not secrets.compare_digest(begun.state.encode(), answer.get("state", "").encode()):
            raise NotProven("this browser did not begin it", "并非由本浏览器发起")
        if not 0 <= self._now() - begun.at < BEGUN_LASTS.total_seconds():
            raise NotProven("it took more than ten minutes", "已超过十分钟")
        if answer.get("iss", self.provider.issuer) != self.provider.issuer:
            raise NotProven("another provider answered", "应答来自其他身份提供方")
        if "code" not in answer:
            raise NotProven("the provider refused it", "身份提供方已拒绝")
        claims = self._claims(self._id_token(answer["code"], begun.verifier), begun.nonce)
        return self._session(claims)

    # ── What the provider says ────────────────────────────────────────────────────────────────────

    def _known(self) -> dict[str, Any]:
        """Return the provider's description of itself, asked for once."""
        with self._lock:
            if self._about is None:
                address = f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration"
                said = _object(_fetch(address))
                if said.get("issuer") != self.provider.issuer:
                    raise ProviderAway(f"it calls itself {str(said.get('issuer'))[:100]!r}")
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    if not is_protected(str(said.get(name, ""))):
                        raise ProviderAway(f"its {name} is not https")
                self._about = said
            return self._about

    def _id_token(self, code: str, verifier: str) -> str:
        from authlib.common.errors import AuthlibBaseError
        from authlib.integrations.requests_client import OAuth2Session
        from requests import RequestException

        provider = self.provider
        method = "client_secret_basic" if provider.client_secret else "none"
        session = OAuth2Session(
            provider.client_id,
            provider.client_secret,
            token_endpoint_auth_method=method,
            redirect_uri=provider.redirect,
            default_timeout=TIMEOUT,
        )
        endpoint = str(self._known()["token_endpoint"])
        try:
            with session:
                session.max_redirects = 0
                said = session.fetch_token(endpoint, code=code, code_verifier=verifier, grant_type="authorization_code")
        except AuthlibBaseError as error:
            raise NotProven("the provider did not take its code back", "身份提供方未接受授权码") from error
        except (RequestException, ValueError) as error:
            raise ProviderAway(type(error).__name__) from error
        token = said.get("id_token")
        if not isinstance(token, str) or len(token) > LARGEST_ANSWER:
            raise NotProven("it came without an ID token", "应答中没有 ID 令牌")
        return token

    def _claims(self, token: str, nonce: str) -> Mapping[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError

        provider = self.provider
        options: dict[str, Any] = {
            "iss": {"essential": True, "value": provider.issuer},
            "aud": {"essential": True, "value": provider.client_id},
        }
        try:
            read = jwt.decode(token, self._key_for, algorithms=list(ALGORITHMS))
            asked = {"nonce": nonce, "client_id": provider.client_id}
            CodeIDToken(read.claims, read.header, options, asked).validate(now=int(self._now()), leeway=LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _why(error) from error
        except Exception as error:  # the claims of Authlib raise errors of their own
            if not type(error).__module__.startswith("authlib."):
                raise
            raise _why(error) from error
        if not str(read.claims["sub"]):
            raise NotProven("it names nobody", "未指明人员")
        return read.claims

    def _key_for(self, guest: Any) -> Any:
        """Return the provider's key that a token names; a symmetric key is none of them."""
        kid = guest.headers().get("kid")
        for fresh in (False, True):
            keys = [key for key in self._key_set(fresh) if key.key_type != "oct"]
            named = [key for key in keys if kid is None or key.kid == kid]
            if len(named) == 1:
                return named[0]
        raise NotProven("its key is not one of the provider's", "其密钥不属于身份提供方")

    def _key_set(self, fresh: bool) -> list[Any]:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        address = str(self._known()["jwks_uri"])
        with self._lock:
            age = self._now() - self._keys_from
            if self._keys is None or age > KEYS_KEPT.total_seconds() or (fresh and age > KEYS_ANEW.total_seconds()):
                try:
                    self._keys = KeySet.import_key_set(_object(_fetch(address)))  # type: ignore[arg-type]
                except (JoseError, ValueError, TypeError, KeyError) as error:
                    raise ProviderAway("its keys cannot be read") from error
                self._keys_from = self._now()
            return list(self._keys.keys)

    # ── Who that is here ──────────────────────────────────────────────────────────────────────────

    def _session(self, claims: Mapping[str, Any]) -> str:
        role = self._role(claims)
        site = self._text(claims, self.provider.site_claim) if self.provider.site_claim is not None else None
        if self.provider.site_claim is not None and site is None:
            raise NoRole(self.provider.site_claim, [])
        identity = hashlib.sha256(json.dumps([claims["iss"], claims["sub"]]).encode()).hexdigest()
        known = self._people.external(identity)
        if known is None:
            name = self._text(claims, self.provider.name_claim) or f"company-{identity[:12]}"
            known = self._people.add_external(identity, name, role, site=site)
        elif (known.role, known.site) != (role, site):
            self._people.change(known.name, by="company-sign-in", role=role, site=site)
        return self._people.begin_session(self._people.account(known.name))

    def _role(self, claims: Mapping[str, Any]) -> Role:
        held = _claim(claims, self.provider.role_claim)
        values = [str(value) for value in (held if isinstance(held, list) else [held]) if isinstance(value, str)]
        found = {self.provider.roles[value] for value in values if value in self.provider.roles}
        if len(found) != 1:
            raise NoRole(self.provider.role_claim, values)
        return found.pop()

    def _text(self, claims: Mapping[str, Any], name: str) -> str | None:
        value = _claim(claims, name)
        return value if isinstance(value, str) and value else None

    def _now(self) -> float:
        return self._clock().timestamp()


def is_protected(address: str) -> bool:
    """Whether an address is https, or http on this machine itself."""
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _challenge(verifier: str) -> str:
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    return str(create_s256_code_challenge(verifier))


def _fetch(address: str) -> bytes:
    import requests

    try:
        with requests.get(address, timeout=TIMEOUT, allow_redirects=False, stream=True) as answer:
            if answer.status_code != 200:
                raise ProviderAway(f"status {answer.status_code}")
            body = answer.raw.read(LARGEST_ANSWER + 1, decode_content=True)
    except (requests.RequestException, OSError) as error:
        raise ProviderAway(type(error).__name__) from error
    if len(body) > LARGEST_ANSWER:
        raise ProviderAway("its answer is too large")
    return bytes(body)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ProviderAway("its answer is no JSON") from error
    if not isinstance(said, dict):
        raise ProviderAway("its answer is no JSON object")
    return said


WHY: tuple[tuple[str, str, str], ...] = (
    ("expired", "its ID token has expired", "ID 令牌已过期"),
    ('"nonce"', "its ID token belongs to another sign-in", "ID 令牌属于另一次登录"),
    ('"aud"', "its ID token is for another service", "ID 令牌的接收方不是本系统"),
    ('"iss"', "its ID token is from another issuer", "ID 令牌的签发方不符"),
    ('"azp"', "its ID token was given to another service", "ID 令牌系签发给其他系统"),
)
"""What Authlib's errors say, and what a person is told; the rest is nothing he could mend."""


def _why(error: Exception) -> NotProven:
    said = str(error).lower().replace("'", '"')
    for word, english, chinese in WHY:
        if word in said:
            return NotProven(english, chinese)
    return NotProven("its ID token cannot be trusted", "ID 令牌不可信")
