"""What a provider says of itself at `/.well-known/openid-configuration`, checked and remembered for a while."""

import json
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import httpx2

from kit.fetching import Fetcher, run_now
from kit.openid.checks import Checks, kind_of
from kit.openid.keys import ALGORITHMS, Keys
from kit.openid.remembered import Clock, Remembered

WELL_KNOWN = "/.well-known/openid-configuration"
LONGEST_ADDRESS = 2000
MOST_PROVIDERS = 5000
FIELD = "issuer"


@dataclass(frozen=True)
class Provider:
    """A provider's own description, as far as it is needed."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    algorithms: tuple[str, ...] = ("RS256",)
    auth_methods: tuple[str, ...] = ("client_secret_basic",)
    # It promised to name itself in each answer (RFC 9207).
    names_itself: bool = False


def _is_address(value: object, *, plain: bool) -> bool:
    if not isinstance(value, str) or len(value) > LONGEST_ADDRESS or not value.isprintable() or " " in value:
        return False
    try:
        url = httpx2.URL(value)
    except (httpx2.InvalidURL, UnicodeError, ValueError):
        return False
    schemes = {"https", "http"} if plain else {"https"}
    return url.scheme in schemes and bool(url.host) and not url.userinfo and "#" not in value


class _Document:
    """The discovery document, read with suspicion."""

    def __init__(self, given: dict[str, Any], checks: Checks, *, plain: bool) -> None:
        self.given, self.checks, self.plain = given, checks, plain

    def address(self, name: str) -> str:
        """An endpoint that must be there."""
        value = self.given.get(name)
        self.checks.need("endpoint", _is_address(value, plain=self.plain), value, name)
        return str(value)

    def perhaps(self, name: str) -> str | None:
        """An endpoint that may be there."""
        return self.address(name) if self.given.get(name) is not None else None

    def names(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of names."""
        value = self.given.get(name)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.checks.refuse("discovery_document", f"{name}: {kind_of(value)}")
        return tuple(value)


def _parsed(body: bytes, checks: Checks) -> dict[str, Any]:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        checks.refuse("discovery_document", "no JSON")
    if not isinstance(given, dict):
        checks.refuse("discovery_document", kind_of(given))
    return given


def read_document(body: bytes, issuer: str, *, plain: bool = False) -> Provider:
    """The provider that a discovery document describes. `plain` admits http."""
    checks = Checks(field=FIELD)
    given = _parsed(body, checks)
    checks.need("issuer_announced", given.get("issuer") == issuer, given.get("issuer"), issuer)
    document = _Document(given, checks, plain=plain)
    kinds = document.names("response_types_supported", ("code",))
    checks.need("code_flow", "code" in kinds, ", ".join(kinds), "code")
    # Some providers know PKCE and do not say so; one that lists others only would not check ours.
    methods = document.names("code_challenge_methods_supported", ("S256",))
    checks.need("pkce", "S256" in methods, ", ".join(methods), "S256")
    signing = document.names("id_token_signing_alg_values_supported", ("RS256",))
    algorithms = tuple(one for one in signing if one in ALGORITHMS)
    checks.need("algorithms", bool(algorithms), ", ".join(signing), ", ".join(ALGORITHMS))
    return Provider(
        issuer=issuer,
        authorization_endpoint=document.address("authorization_endpoint"),
        token_endpoint=document.address("token_endpoint"),
        jwks_uri=document.address("jwks_uri"),
        end_session_endpoint=document.perhaps("end_session_endpoint"),
        userinfo_endpoint=document.perhaps("userinfo_endpoint"),
        algorithms=algorithms,
        auth_methods=document.names("token_endpoint_auth_methods_supported", ("client_secret_basic",)),
        names_itself=given.get("authorization_response_iss_parameter_supported") is True,
    )


async def discover(fetcher: Fetcher, issuer: str) -> Provider:
    """Fetch and check the provider's description; its issuer must be exactly this one."""
    sound = _is_address(issuer, plain=fetcher.allow_private) and "?" not in issuer and not issuer.endswith(WELL_KNOWN)
    Checks(field=FIELD).need("issuer_shape", sound, issuer)
    fetched = await fetcher.get(issuer.rstrip("/") + WELL_KNOWN, "application/json", field=FIELD)
    return read_document(fetched.body, issuer, plain=fetcher.allow_private)


def discover_now(fetcher: Fetcher, issuer: str) -> Provider:
    """The same, for synchronous callers."""
    return run_now(discover(fetcher, issuer))


class Providers:
    """Providers and their keys, remembered by issuer: discovered anew after an hour, kept for a day if that fails.

    Belongs to one event loop, or to synchronous callers; not to both.
    """

    def __init__(self, fetcher: Fetcher, *, clock: Clock = time.monotonic) -> None:
        self.fetcher, self._clock = fetcher, clock
        self._known: OrderedDict[str, Remembered[tuple[Provider, Keys]]] = OrderedDict()

    async def get(self, issuer: str) -> tuple[Provider, Keys]:
        """The provider of this issuer and its keys."""
        if issuer not in self._known:
            self._known[issuer] = self._remembered(issuer)
            if len(self._known) > MOST_PROVIDERS:
                self._known.popitem(last=False)
        self._known.move_to_end(issuer)
        return await self._known[issuer].get()

    def get_now(self, issuer: str) -> tuple[Provider, Keys]:
        """The same, for synchronous callers."""
        return run_now(self.get(issuer))

    def _remembered(self, issuer: str) -> Remembered[tuple[Provider, Keys]]:
        last: list[Keys] = []

        async def look() -> tuple[Provider, Keys]:
            provider = await discover(self.fetcher, issuer)
            if not last or last[0].uri != provider.jwks_uri:
                last[:] = [Keys(self.fetcher, provider.jwks_uri, clock=self._clock)]
            return provider, last[0]

        return Remembered(look, self._clock)
