"""The effects of an action in a person's words: sizes, prices and dates as their language writes them."""

from datetime import date
from typing import Any

from babel.dates import format_date

from control_plane.organisations import Effect
from control_plane.portal.words import HOLDS
from kit.interface import N_, engine, translator

LIMITS: dict[str, str] = {
    "storage_bytes": N_("storage"),
    "members": N_("members"),
    "guests": N_("guests"),
    "spaces": N_("spaces"),
    "file_bytes": N_("file size"),
    "retention_days": N_("days in the trash"),
}
PER: dict[str, str] = {"organisation": N_("organisation"), "member": N_("member")}
FEATURES: dict[str, str] = {
    "drive": N_("the drive"),
    "public_links": N_("public links"),
    "passkeys": N_("passkeys"),
    "custom_domain": N_("a domain of one's own"),
    "sso_saml": N_("single sign-on by SAML"),
    "sso_oidc": N_("single sign-on by OpenID Connect"),
    "scim": N_("account provisioning (SCIM)"),
}
TONES = {
    "over_limit": "warn",
    "all_removed": "bad",
    "doors_close": "warn",
    "feature_lost": "warn",
    "trial_ends": "warn",
    "usage_unknown": "warn",
}
ICONS = {
    "affected": "users",
    "doors_close": "lock",
    "doors_open": "unlock",
    "files_blocked": "ban",
    "writes_refused": "eye",
    "notice_begins": "clock",
    "reversible": "undo",
    "all_removed": "trash",
    "address_closed": "globe",
    "price": "euro",
    "trial_moves": "calendar",
    "hold_stands": "lock",
    "usage_unknown": "info",
}


def effect_words(effect: Effect, locale: str) -> str:
    """The sentence of one effect."""
    words = translator(locale)
    text = words.gettext(effect.message)
    if effect.code == "affected":
        text = words.gettext("{members} members and {guests} guests are affected; {bytes} are stored.")
    if effect.code == "price":
        text = words.gettext("The price goes from {before} to {after} per {per} a month.")
    return text.format(**{name: _shown(effect, name, value, locale) for name, value in effect.params.items()})


def _shown(effect: Effect, name: str, value: Any, locale: str) -> Any:
    filters, words = engine(locale).filters, translator(locale)
    if name == "limit":
        return words.gettext(LIMITS.get(str(value), str(value)))
    if name == "bytes" or (name in {"before", "after", "used"} and _is_size(effect)):
        return filters["bytes"](value) if value is not None else words.gettext("no limit")
    if effect.code == "price" and name in {"before", "after"}:
        return filters["euros"](value)
    if effect.code in {"limit_changes", "over_limit"}:
        return words.gettext("no limit") if value is None else filters["number"](value)
    return _worded(effect, name, value, locale)


def _worded(effect: Effect, name: str, value: Any, locale: str) -> Any:
    words = translator(locale)
    if value is None:
        return "—"
    if effect.code in {"notice_begins", "trial_moves"}:
        return _day(str(value), locale)
    tables = {"per": PER, "feature": FEATURES, "kind": HOLDS}
    return words.gettext(tables[name].get(str(value), str(value))) if name in tables else value


def _is_size(effect: Effect) -> bool:
    return str(effect.params.get("limit", "")).endswith("_bytes")


def _day(text: str, locale: str) -> str:
    return format_date(date.fromisoformat(text), "d MMMM y", locale=locale)


def effect_tone(effect: Effect) -> str:
    """How grave it is."""
    return TONES.get(effect.code, "plain")


def effect_icon(effect: Effect) -> str:
    """The icon beside it."""
    return ICONS.get(effect.code, "arrow-right")
