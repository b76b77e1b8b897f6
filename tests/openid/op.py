"""A provider of our own that does what it is told, well or badly: a real HTTP server, a scene for each case."""

import base64
import hashlib
import hmac
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

CLIENT, SECRET = "the-app", "s+e c/r%e&t=~of-the-test"
CALLBACK = "https://acme.parvis.test/oidc/callback"
SUBJECT, EMAIL = "8f3c-alice", "alice@acme.test"
CODE, ACCESS = "code-of-one-sign-in", "an-access-token-of-the-test"

RSA = RSAKey.generate_key(2048)
OTHER_RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
EC384 = ECKey.generate_key("P-384")
ED = OKPKey.generate_key("Ed25519")

Claims = dict[str, Any]
Raw = Callable[["Handler"], None]


def b64(data: bytes | str) -> str:
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def public(key: Key, kid: str | None, **more: Any) -> dict[str, Any]:
    named = {} if kid is None else {"kid": kid}
    return {**key.as_dict(private=False), "use": "sig", **named, **more} | ({} if kid is not None else {"kid": None})


def half(value: str, algorithm: str = "RS256") -> str:
    digest = hashlib.new("sha512" if algorithm.startswith("Ed") else f"sha{algorithm[2:]}", value.encode()).digest()
    return b64(digest[: len(digest) // 2])


class AnyAlgorithm(JWSRegistry):
    """Signs whatever a test wants signed."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]

    def check_header(self, header: dict[str, Any]) -> None: ...


def signed(header: dict[str, Any], claims: Claims, key: Key) -> str:
    return jwt.encode(header, claims, key, registry=AnyAlgorithm(), default_type=None)


@dataclass
class Scene:
    """One provider. A case changes what it says, before it says it."""

    issuer: str
    discovery: dict[str, Any]
    keys: list[dict[str, Any]]
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "one", "typ": "JWT"})
    claims: Claims = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    key: Any = field(default_factory=lambda: RSA)
    answer: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    token_status: int = 200
    userinfo: dict[str, Any] = field(default_factory=dict)
    # Instead of a signature by `key`: the whole token from header and claims.
    make: Callable[[dict[str, Any], Claims], Any] | None = None
    # Instead of an answer: (status, headers, body), or a function that writes what it likes.
    raw: dict[str, Any] = field(default_factory=dict)
    auth_method: str = "client_secret_basic"
    max_age: int | None = None
    asked: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def id_token(self, nonce: str) -> Any:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": SUBJECT,
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": nonce,
            "email": EMAIL,
            "at_hash": half(ACCESS),
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if name not in self.drop}
        header = {name: value for name, value in self.header.items() if value is not None}
        return self.make(header, claims) if self.make else signed(header, claims, self.key)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    scenes: dict[str, Scene]

    def log_message(self, *_: Any) -> None: ...

    def handle(self) -> None:
        # Whoever is refused in the middle of a long answer hangs up.
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def do_GET(self) -> None:
        self.answer("")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers.get("content-length", 0))).decode())

    def answer(self, body: str) -> None:
        name, _, rest = urlsplit(self.path).path.lstrip("/").partition("/")
        scene = self.scenes[name]
        scene.seen.append(rest)
        raw = scene.raw.get(rest)
        # Nobody shall wait for the rest of an answer that says more than it has.
        self.close_connection = self.close_connection or raw is not None
        if callable(raw):
            raw(self)
        elif raw is not None:
            self.send(*raw)
        else:
            getattr(self, "tell_" + rest.replace("/", "_").replace(".", "").replace("-", "_"))(scene, body)

    def tell_well_known_openid_configuration(self, scene: Scene, _body: str) -> None:
        self.json(scene.discovery)

    def tell_keys(self, scene: Scene, _body: str) -> None:
        self.json({"keys": scene.keys})

    def tell_authorize(self, scene: Scene, _body: str) -> None:
        scene.asked = dict(parse_qsl(urlsplit(self.path).query))
        assert scene.asked["code_challenge_method"] == "S256"
        assert scene.asked["response_type"] == "code"
        answer = {"code": CODE, "state": scene.asked["state"], "iss": scene.issuer, **scene.answer}
        query = urlencode({name: value for name, value in answer.items() if value is not None})
        self.send(303, {"location": f"{scene.asked['redirect_uri']}?{query}"}, b"")

    def tell_token(self, scene: Scene, body: str) -> None:
        form = dict(parse_qsl(body))
        proof = b64(hashlib.sha256(form["code_verifier"].encode()).digest())
        assert hmac.compare_digest(proof, scene.asked["code_challenge"])
        assert (form["grant_type"], form["code"], form["redirect_uri"]) == ("authorization_code", CODE, CALLBACK)
        self.know_client(scene, form)
        token = {
            "access_token": ACCESS,
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": scene.id_token(scene.asked["nonce"]),
            **scene.tokens,
        }
        self.json({name: value for name, value in token.items() if value != "(none)"}, scene.token_status)

    def know_client(self, scene: Scene, form: dict[str, str]) -> None:
        basic = self.headers.get("authorization", "")
        if scene.auth_method == "client_secret_basic":
            pair = base64.b64decode(basic.removeprefix("Basic ")).decode().split(":")
            assert list(map(unquote_plus, pair)) == [CLIENT, SECRET]
            assert "client_secret" not in form
        elif scene.auth_method == "client_secret_post":
            assert (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)
        else:
            assert form["client_id"] == CLIENT
            assert "client_secret" not in form

    def tell_userinfo(self, scene: Scene, _body: str) -> None:
        assert self.headers["authorization"] == f"Bearer {ACCESS}"
        self.json({"sub": SUBJECT, "email": EMAIL, **scene.userinfo})

    def json(self, value: Any, status: int = 200) -> None:
        self.send(status, {"content-type": "application/json"}, json.dumps(value).encode())

    def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@dataclass
class Op:
    """The running provider."""

    base: str
    scenes: dict[str, Scene]

    def scene(self, ending: str = "") -> Scene:
        """A provider of its own, without fault."""
        name = secrets.token_hex(6)
        base = f"{self.base}/{name}"
        issuer = base + ending
        discovery = {
            "issuer": issuer,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/keys",
            "userinfo_endpoint": f"{base}/userinfo",
            "end_session_endpoint": f"{base}/end",
            "response_types_supported": ["code", "id_token"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": True,
        }
        self.scenes[name] = Scene(issuer, discovery, [public(RSA, "one")])
        return self.scenes[name]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@contextmanager
def running_op(tls: ssl.SSLContext | None = None) -> Iterator[Op]:
    """With `tls`, it answers by https under the name localhost."""
    scenes: dict[str, Scene] = {}
    server = Server(("127.0.0.1", 0), type("OpHandler", (Handler,), {"scenes": scenes}))
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Op(f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}", scenes)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
