"""An identity provider whose part a test plays itself, with keys of its own: it says what it is told to say."""

import base64
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx
from lxml import etree

from kit import saml
from kit.vault import Vault
from tenant_app.contract import Identity, SignInConnection, TenantRecord, seal_purpose
from tests.saml.forge import build, encode
from tests.saml.said import Said, Signer, our_key, signer
from tests.workspace.houses import CELL_KEY, PASSWORD, House, Person

DOMAIN = "acme.test"


@dataclass(frozen=True)
class Asked:
    """What a browser was sent to the provider with."""

    request_id: str
    relay_state: str


@dataclass
class Paper:
    """A SAML provider with one connection."""

    connection: SignInConnection
    key: Signer = field(default_factory=signer)
    entity_id: str = ""

    def identity(self, **fields: Any) -> Identity:
        """As the organisation's record tells it."""
        return Identity(connections=(self.connection,), domains=self.connection.domains, **fields)

    def base(self, house: House, record: TenantRecord) -> str:
        return f"{house.url(record)}/saml/{self.connection.id}/"

    def answer(
        self,
        house: House,
        record: TenantRecord,
        asked: Asked | None,
        subject: str = "alice",
        *,
        mail: str | None = f"alice@{DOMAIN}",
        groups: Sequence[str] = ("staff",),
        **said: Any,
    ) -> dict[str, str]:
        """The form that the provider lets the browser post."""
        base = said.pop("base", self.base(house, record))
        return self.form(base, asked, subject, mail=mail, groups=groups, **said)

    def form(
        self,
        base: str,
        asked: Asked | None,
        subject: str = "alice",
        *,
        mail: str | None = f"alice@{DOMAIN}",
        groups: Sequence[str] = ("staff",),
        **said: Any,
    ) -> dict[str, str]:
        """The same, for the addresses that begin with `base`."""
        values = {"groups": groups} | ({"mail": [mail]} if mail else {}) | {"displayName": [subject.title()]}
        told = {
            "response_id": "_" + secrets.token_hex(8),
            "assertion_id": "_" + secrets.token_hex(8),
            "response_issuer": self.entity_id,
            "issuer": self.entity_id,
            "destination": base + "acs",
            "recipient": base + "acs",
            "audiences": (base + "metadata",),
            "in_response_to": asked.request_id if asked else None,
            "confirmed_request": asked.request_id if asked else None,
            "subject": subject,
            "values": values,
            **said,
        }
        encoded = encode(build(Said(**told), "both", by=self.key))
        return {"SAMLResponse": encoded, "RelayState": asked.relay_state if asked else ""}


def paper(
    *, key: str = "provider", domains: tuple[str, ...] = (DOMAIN,), stage: str = "enforced", **fields: Any
) -> Paper:
    """A provider that stands only on paper, and its connection."""
    made = fields.pop("id", None) or uuid4()
    by = signer(key)
    entity_id = f"https://idp.{key}.test/metadata"
    settings = {
        "entity_id": entity_id,
        "sso_url": f"https://idp.{key}.test/sso",
        "sso_binding": "redirect",
        "slo_url": f"https://idp.{key}.test/slo",
        "certificates": [base64.b64encode(by.der).decode()],
        "sign_requests": True,
        "allow_idp_initiated": False,
        "keys": [sealed_key(made, fields.pop("seals", None))],
        **fields.pop("settings", {}),
    }
    connection = SignInConnection(
        id=made,
        kind="saml",
        name="Acme ID",
        stage=stage,
        domains=domains,
        settings=settings,
        **fields,  # type: ignore[arg-type]
    )
    return Paper(connection, by, entity_id)


def sealed_key(connection_id: UUID, seals: Vault | None = None) -> dict[str, str]:
    """Our own key of a connection, as the record carries it."""
    key = our_key()
    plain = base64.b64encode(key.private_der).decode()
    return {
        "certificate": base64.b64encode(key.certificate).decode(),
        "key_sealed": (seals or Vault(CELL_KEY)).seal(plain, seal_purpose(connection_id)),
    }


def begin(person: Person, provider: Paper, **params: str) -> Asked:
    """The browser goes to the provider."""
    sent = person.get(f"/sso/{provider.connection.id}", params=params, follow_redirects=False)
    return asked_in(sent)


def asked_in(sent: httpx.Response) -> Asked:
    """The question in the address that a browser is sent to."""
    assert sent.status_code == 303, sent.text
    query = parse_qs(urlsplit(sent.headers["location"]).query)
    request = etree.fromstring(zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), -15))
    return Asked(request.get("ID", ""), query["RelayState"][0])


def bring(person: Person, provider: Paper, form: dict[str, str], **options: Any) -> httpx.Response:
    """The browser posts the provider's form, as from its site, and goes on where it is led."""
    headers = {"Origin": "null", "Sec-Fetch-Site": "cross-site", **options.pop("headers", {})}
    return person.http.post(f"/saml/{provider.connection.id}/acs", data=form, headers=headers, **options)


def sign_in(person: Person, provider: Paper, subject: str = "alice", **said: Any) -> httpx.Response:
    """There and back."""
    asked = begin(person, provider)
    return bring(person, provider, provider.answer(person.house, person.record, asked, subject, **said))


def asks_out(
    house: House,
    record: TenantRecord,
    provider: Paper,
    subject: str = "alice",
    index: str | None = None,
    *,
    by: Paper | None = None,
) -> str:
    """The path of a request to log out, as a provider sends it: our own words, turned round."""
    base, signer = provider.base(house, record), (by or provider).key
    there = saml.ServiceProvider(provider.entity_id, "", "", (saml.Key(signer.der, signer.key),))
    us = saml.IdentityProvider(base + "metadata", base + "sso", "redirect", base + "slo", ())
    asked = saml.ask_logout(
        there,
        us,
        request_id=saml.new_id(),
        subject=subject,
        subject_format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        session_index=index,
        relay_state="",
        now=datetime.now(UTC),
    )
    assert isinstance(asked, saml.Redirect)
    return asked.url.removeprefix(house.url(record))


def by_password(person: Person, email: str) -> httpx.Response:
    """At the door, with the password that everybody has in these tests."""
    return person.http.post("/sign-in", data={"email": email, "password": PASSWORD})


def signed_in(person: Person) -> bool:
    """Whether this browser is in."""
    return person.get("/account").url.path == "/account"


def traces(house: House, record: TenantRecord) -> list[dict[str, Any]]:
    """What was written down, oldest first."""
    rows = house.rows(record, "select purpose, outcome, principal_id, data from sso_trace order by id")
    return [{"purpose": p, "outcome": o, "principal_id": who, **data} for p, o, who, data in rows]
