"""Reading one setting from the environment: a wrong one names itself and what was expected, and shows no secret."""

import binascii
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

PREFIX = "PARVIS_"
T = TypeVar("T")


class SettingError(Exception):
    """A setting is missing or wrong: its message names it, shows what was given (no secret), and what was expected."""

    def __init__(self, name: str, given: str | None, expected: str) -> None:
        self.name = name
        shown = "is not set" if given is None else f"is {given!r}"
        super().__init__(f"The setting {name} {shown}; expected {expected}.")


def without_password(url: str) -> str:
    """The address as it may be shown: user, host and path, with the password and the query left out."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.port:
            host += f":{parts.port}"
    except ValueError:
        return "…"
    if "@" in parts.netloc:
        host = f"{parts.username or ''}:…@{host}" if parts.password else f"{parts.username or ''}@{host}"
    elif not parts.netloc:
        # No address at all: whatever was pasted here may be a secret.
        return "…"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _as_is(value: str) -> str:
    return value


def read(
    env: Mapping[str, str],
    name: str,
    expected: str,
    parse: Callable[[str], T],
    *,
    default: str | None = None,
    show: Callable[[str], str] = _as_is,
) -> T:
    """One setting, parsed; a ValueError of `parse` becomes an error that names the setting."""
    given = env.get(PREFIX + name, "").strip() or default
    if given is None:
        raise SettingError(PREFIX + name, None, expected)
    try:
        return parse(given)
    except (ValueError, OSError, binascii.Error) as error:
        raise SettingError(PREFIX + name, show(given), expected) from error


def yes_or_no(value: str) -> bool:
    """1, yes, 0 or no."""
    if value.lower() not in {"1", "yes", "0", "no"}:
        raise ValueError(value)
    return value.lower() in {"1", "yes"}


def url_of(*schemes: str, path: bool = True) -> Callable[[str], str]:
    """Parses an address of one of these schemes; without `path`, one that has neither path nor query."""

    def parse(value: str) -> str:
        parts = urlsplit(value)
        # Reading `port` is what checks it.
        if parts.scheme not in schemes or not parts.hostname or parts.port == 0:
            raise ValueError(value)
        if not path and (parts.path not in ("", "/") or parts.query or parts.fragment or parts.username):
            raise ValueError(value)
        return value if path else value.rstrip("/")

    return parse
