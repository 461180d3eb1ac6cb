"""A small OpenID Connect provider on this machine: real codes, PKCE, client secrets and signed ID tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

CLIENT, SECRET = "mingjing", "client-secret"
MEI = {"sub": "u-1", "preferred_username": "mei.chen", "roles": ["officer"]}


@lru_cache
def a_key() -> RSAKey:
    """The provider's key; making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


@dataclass
class OidcProvider:
    """What it knows and how it shall err. `twist` changes claims before signing, `sign` replaces signing itself."""

    clock: Callable[[], datetime]
    key: Any = field(default_factory=a_key)
    alg: str = "RS256"
    person: dict[str, Any] = field(default_factory=lambda: dict(MEI))
    twist: Callable[[dict[str, Any]], None] = lambda _claims: None
    sign: Callable[[dict[str, Any]], str] | None = None
    about: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    issuer: str = ""
    keys_asked: int = 0

    def authorize(self, address: str) -> str:
        """Sign the person in and return the address his browser is sent back to."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        assert asked["client_id"] == CLIENT and "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Trade a code for an ID token, once, for the client that began it and holds its verifier."""
        begun = self.codes.pop(form.get("code", ""), None)
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if authorization != f"Basic {basic}":
            return 401, {"error": "invalid_client"}
        if begun is None or begun["code_challenge"] != challenge or begun["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": begun["nonce"],
            **self.person,
        }
        self.twist(claims)
        sign = self.sign or (lambda said: jwt.encode({"alg": self.alg, "kid": self.key.kid}, said, self.key))
        id_token = sign(claims)
        return 200, {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": id_token}

    def document(self, path: str) -> dict[str, Any] | None:
        """Return what is published under a path."""
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                **self.about,
            }
        if path == "/keys":
            self.keys_asked += 1
            return {"keys": [self.key.as_dict(private=False)]}
        return None


@contextmanager
def an_oidc_provider(clock: Callable[[], datetime]) -> Iterator[OidcProvider]:
    """Run a provider on a free port of this machine."""
    provider = OidcProvider(clock)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = provider.document(self.path)
            self._send(404 if found is None else 200, found or {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._send(*provider.token(form, self.headers.get("Authorization", "")))

        def _send(self, status: int, document: dict[str, Any]) -> None:
            raw = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def unsigned(claims: dict[str, Any]) -> str:
    """An ID token with `alg: none`."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'kid': 'one'})}.{part(claims)}."


def signed_by_a_stranger(claims: dict[str, Any]) -> str:
    """An ID token signed by somebody else's key under the provider's key id."""
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, RSAKey.generate_key(2048))


def signed_with_the_public_key(provider: OidcProvider) -> Callable[[dict[str, Any]], str]:
    """The classic confusion: the provider's public key taken for a shared secret."""

    def sign(claims: dict[str, Any]) -> str:
        secret = base64.b64encode(provider.key.as_pem(private=False)).decode()
        return jwt.encode({"alg": "HS256", "kid": "one"}, claims, OctKey.import_key(secret), algorithms=["HS256"])

    return sign


def another_curve() -> ECKey:
    """A key of another kind, for a provider that changes its keys."""
    return ECKey.generate_key("P-256", {"kid": "two", "use": "sig"})
