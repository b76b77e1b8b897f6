"""Names of domains as DNS knows them, whatever script they were typed in."""

import unicodedata

import idna

# Around letters that run from right to left, so that what stands beside them keeps its place.
ISOLATE, END = "\u2068", "\u2069"


def ascii_domain(given: str) -> str:
    """In lower case and ASCII (RFC 5891, mapped by UTS 46); nothing where it cannot be written so."""
    tidy = given.strip().lower()
    try:
        return tidy if tidy.isascii() else idna.encode(tidy, uts46=True).decode("ascii")
    except idna.IDNAError:
        return ""


def domain_in_words(name: str) -> str:
    """As people write it, with what DNS knows beside it: letters of another script may look like those of one's own.

    A name that says nothing else, or that was never a name of DNS, stays as it is.
    """
    try:
        own = idna.decode(name) if "xn--" in name else name
        faithful = own == name or idna.encode(own, uts46=True).decode("ascii") == name
    except (idna.IDNAError, UnicodeError):
        return name
    if own == name or not faithful:
        return name
    if any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in own):
        own = f"{ISOLATE}{own}{END}"
    return f"{own} ({name})"
