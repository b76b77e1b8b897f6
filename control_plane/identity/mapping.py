"""What an administrator says of people: which domains, who is in the pilot, attributes, groups and roles."""

from collections.abc import Callable
from typing import Any

from control_plane.identity.mail_domains import check_domain_name
from control_plane.identity.vendors import ATTRIBUTES, ROLES
from control_plane.organisations import check_email
from kit.errors import Refusal, Refusals

LONGEST_NAME = 60
LONGEST = 300
MOST_DOMAINS = 50
MOST_PILOT = 200
MOST_ROLES = 200


def checked_mapping(given: dict[str, Any]) -> dict[str, Any]:
    """The same in its normal form; every wrong field is named at once."""
    checks: dict[str, Callable[[Any], Any]] = {
        "name": _name,
        "domains": _domains,
        "pilot": _pilot,
        "attributes": _attributes,
        "roles": _roles,
        "otherwise": _otherwise,
    }
    wrong: list[Refusal] = []
    tidy = dict(given)
    for name, check in checks.items():
        if name in given:
            try:
                tidy[name] = check(given[name])
            except Refusal as refusal:
                wrong.append(refusal)
    if wrong:
        raise Refusals(wrong)
    return tidy


def _name(given: str) -> str:
    tidy = given.strip()
    if not 1 <= len(tidy) <= LONGEST_NAME or not tidy.isprintable():
        message = "A connection's name stands on the sign-in button: 1 to {most} characters."
        raise Refusal("name_length", message, field="name", most=LONGEST_NAME)
    return tidy


def _domains(given: list[str]) -> list[str]:
    _at_most(given, MOST_DOMAINS, "domains")
    try:
        return sorted({check_domain_name(one) for one in given})
    except Refusal as refusal:
        refusal.field = "domains"
        raise


def _pilot(given: list[str]) -> list[str]:
    _at_most(given, MOST_PILOT, "pilot")
    try:
        return sorted({check_email(one).lower() for one in given})
    except Refusal as refusal:
        refusal.field = "pilot"
        raise


def _attributes(given: dict[str, str]) -> dict[str, str]:
    for name, theirs in given.items():
        if name not in ATTRIBUTES or not _is_word(theirs):
            message = "Name the attribute of your provider for each of: {known}."
            raise Refusal("attributes_shape", message, field="attributes", known=", ".join(ATTRIBUTES))
    tidy = {name: theirs.strip() for name, theirs in given.items()}
    if "email" not in tidy:
        message = "Say in which attribute the e-mail comes: without it nobody can be recognised."
        raise Refusal("attribute_email", message, field="attributes.email")
    return tidy


def _roles(given: dict[str, str]) -> dict[str, str]:
    _at_most(list(given), MOST_ROLES, "roles")
    for group, role in given.items():
        if not _is_word(group) or role not in ROLES:
            message = "A group becomes one of {known}."
            raise Refusal("role_unknown", message, field="roles", known=", ".join(ROLES))
    return {group.strip(): role for group, role in given.items()}


def _otherwise(given: str | None) -> str | None:
    if given is not None and given not in ROLES:
        message = "Who is in no group becomes one of {known}, or is refused."
        raise Refusal("role_unknown", message, field="otherwise", known=", ".join(ROLES))
    return given


def _is_word(text: str) -> bool:
    return 0 < len(text.strip()) <= LONGEST and text.isprintable()


def _at_most(given: list[str], most: int, name: str) -> None:
    if len(given) > most:
        raise Refusal("too_many", "List {most} at most.", field=name, most=most)
