"""Names of domains as DNS knows them, whatever script they were typed in."""

import idna


def ascii_domain(given: str) -> str:
    """In lower case and ASCII (RFC 5891, mapped by UTS 46); nothing where it cannot be written so."""
    tidy = given.strip().lower()
    try:
        return tidy if tidy.isascii() else idna.encode(tidy, uts46=True).decode("ascii")
    except idna.IDNAError:
        return ""
