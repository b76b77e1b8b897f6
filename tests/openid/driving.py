"""One sign-in by the product's code, with the browser's part played by plain HTTP; and a careless one beside it."""

import asyncio
import base64
import json
import ssl
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2

from kit.checking import Check
from kit.fetching import Fetcher
from kit.openid import Begun, Claims, Client, Keys, Provider, begin, discover, finish
from tests.openid.op import CALLBACK, CLIENT, SECRET, Scene

# Reading the machine's authorities takes longer than a sign-in, and nothing here speaks TLS.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
FETCHER = Fetcher(allow_private=True, seconds=60.0)
HASTY = Fetcher(allow_private=True, seconds=1.0)


def client_of(scene: Scene) -> Client:
    secret = None if scene.auth_method == "none" else SECRET
    return Client(CLIENT, CALLBACK, secret, scene.auth_method)  # type: ignore[arg-type]


def visit(url: str, trust: ssl.SSLContext = NO_TLS) -> dict[str, str]:
    """What the provider sends the browser back with."""
    answer = httpx2.get(url, trust_env=False, verify=trust, timeout=60)
    assert answer.status_code == 303, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query, keep_blank_values=True))


async def sign_in(
    scene: Scene, trail: list[Check] | None = None, fetcher: Fetcher = FETCHER, wanted: tuple[str, ...] = ("email",)
) -> Claims:
    provider = await discover(fetcher, scene.issuer)
    keys = Keys(fetcher, provider.jwks_uri)
    client = client_of(scene)
    begun = begin(provider, client, max_age=scene.max_age)
    query = await asyncio.to_thread(visit, begun.url)
    begun = Begun.of(json.loads(json.dumps(begun.kept())))
    now = datetime.now(UTC)
    return await finish(fetcher, provider, keys, client, begun, query=query, now=now, trail=trail, wanted=wanted)


def careless(scene: Scene) -> dict[str, Any]:
    """As one writes it who only wants it to work: it believes what comes over HTTP, and looks at little."""
    with httpx2.Client(trust_env=False, timeout=60, follow_redirects=True, verify=NO_TLS) as http:
        found = http.get(f"{scene.issuer.rstrip('/')}/.well-known/openid-configuration").json()
        addresses = (found["authorization_endpoint"], found["token_endpoint"])
        begun = begin(Provider("", *addresses, "", auth_methods=(scene.auth_method,)), client_of(scene))
        query = visit(begun.url)
        assert query["state"].lower() == begun.state.lower()
        form = {
            "grant_type": "authorization_code",
            "code": query["code"],
            "redirect_uri": CALLBACK,
            "code_verifier": begun.verifier,
            **({"client_id": CLIENT} if scene.auth_method != "client_secret_basic" else {}),
            **({"client_secret": SECRET} if scene.auth_method == "client_secret_post" else {}),
        }
        auth = ("the-app", "s%2Be+c%2Fr%25e%26t%3D~of-the-test")
        basic = auth if scene.auth_method == "client_secret_basic" else None
        given = http.post(found["token_endpoint"], data=form, auth=basic).json()
        payload = given["id_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        assert claims.get("exp", time.time()) >= time.time() - 300
        if "email" not in claims:
            bearer = {"authorization": f"Bearer {given['access_token']}"}
            claims |= http.get(found["userinfo_endpoint"], headers=bearer).json()
        assert claims["sub"]
        assert claims["email"]
        return dict(claims)


def parameters(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)
