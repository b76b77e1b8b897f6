"""What a pushed user says about the person: his name, e-mail, language and time zone."""

import re
from functools import cache
from typing import Any
from zoneinfo import available_timezones

import msgspec

from kit.errors import Refusal
from tenant_app.accounts import normal_email
from tenant_app.scim.shapes import LONGEST_KEY, folded
from tenant_app.tenancy import TenantRecord

EMAIL = re.compile(r"[^@\s,;<>\"'()\\]{1,64}@[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
LONGEST_NAME = 120
USUAL_ZONE = "Europe/Paris"

Data = dict[str, Any]


class Facts(msgspec.Struct, frozen=True):
    """The person as the directory describes him."""

    key: str
    external_id: str | None
    name: str
    email: str | None
    locale: str
    tz: str


def facts_of(data: Data, record: TenantRecord) -> Facts:
    """Read them; a user without a name to sign in by is refused."""
    user_name = data.get("userName", "").strip()
    if not user_name:
        raise Refusal("scim_user_name_missing", "“userName” is required.", status=400, scim="invalidValue")
    key = folded(user_name)
    _short("userName", user_name, 254)
    if len(key.encode()) > LONGEST_KEY:
        raise _long("userName", 254)
    _short("externalId", data.get("externalId", ""), 255)
    return Facts(
        key,
        data.get("externalId"),
        name_of(data),
        email_of(data),
        _locale(data, record),
        data["timezone"] if data.get("timezone", "") in _zones() else USUAL_ZONE,
    )


@cache
def _zones() -> frozenset[str]:
    """Asking walks the system's files, which takes ten times as long as all the rest of a pushed user."""
    return frozenset(available_timezones())


def _short(path: str, value: str, most: int) -> None:
    if len(value) > most:
        raise _long(path, most)


def _long(path: str, most: int) -> Refusal:
    message = "“{path}” can have {most} characters at most."
    return Refusal("scim_value_long", message, status=400, scim="invalidValue", path=path, most=most)


def name_of(data: Data) -> str:
    """What people see of him, in one line."""
    name = data.get("name", {})
    parts = " ".join(filter(None, (name.get("givenName"), name.get("familyName"))))
    for one in (data.get("displayName"), name.get("formatted"), parts, data.get("userName")):
        line = " ".join("".join(c if c.isprintable() else " " for c in one or "").split())
        if line:
            return line[:LONGEST_NAME]
    return "?"


def email_of(data: Data) -> str | None:
    """The e-mail he is known by: the primary one, else that of work, else the first, else his name to sign in by."""
    emails = [one for one in data.get("emails", []) if one.get("value")]
    ranked = sorted(
        emails, key=lambda one: (one.get("primary") is not True, str(one.get("type", "")).lower() != "work")
    )
    if ranked:
        return normal_email(ranked[0]["value"])
    user_name = normal_email(data.get("userName", ""))
    return user_name if EMAIL.fullmatch(user_name) else None


def _locale(data: Data, record: TenantRecord) -> str:
    for one in (data.get("preferredLanguage"), data.get("locale")):
        language = (one or "").replace("_", "-").partition("-")[0].lower()
        if language in {"fr", "en"}:
            return language
    return record.locale


def require_own_domain(email: str | None, record: TenantRecord) -> None:
    """A directory names people only within the domains that its organisation has proven."""
    if email is None:
        return
    if not EMAIL.fullmatch(email):
        raise Refusal(
            "scim_email_invalid", "“{email}” is no e-mail address.", status=400, scim="invalidValue", email=email
        )
    domain = email.rpartition("@")[2]
    if domain not in record.identity.domains:
        raise Refusal(
            "scim_email_foreign",
            "The domain “{domain}” of {email} is not proven by this organisation. Prove it in the console under"
            " Domains, or map another attribute to the e-mail.",
            status=400,
            scim="invalidValue",
            domain=domain,
            email=email,
        )
