"""What a customer types, checked: each rule says what to do instead."""

import hashlib
import re
import unicodedata

from kit.errors import Refusal

ADDRESS = re.compile(r"[a-z0-9-]{3,40}")
# Deliberately plain: a mail that arrives is the only proof of an address.
EMAIL = re.compile(r"[^\s@\"(),:;<>\[\\\]]{1,64}@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
LA_POSTE = "356000000"
LOCALES = ("fr", "en")
ENTITY_KINDS = (
    "commune",
    "departement",
    "region",
    "etat",
    "etablissement",
    "hopital",
    "education",
    "association",
    "other",
)
LOOKS = str.maketrans(
    {
        "0": "o",
        "1": "l",
        "i": "l",
        "j": "l",
        "5": "s",
        "8": "b",
        "2": "z",
        "3": "e",
        "4": "a",
        "7": "t",
        "6": "g",
        "9": "g",
    }
)
DOTS_DO_NOT_COUNT = frozenset({"gmail.com", "googlemail.com"})


def fold(text: str) -> str:
    """Lower case, no accents, ligatures opened, everything but letters, digits and `@.-` as one space."""
    opened = text.replace("œ", "oe").replace("Œ", "oe").replace("æ", "ae").replace("Æ", "ae").replace("ß", "ss")
    plain = "".join(c for c in unicodedata.normalize("NFKD", opened) if not unicodedata.combining(c)).lower()
    return " ".join(re.sub(r"[^\w@.\-]+|_", " ", plain).split())


def check_name(name: str, field: str = "name") -> str:
    """A name of 2 to 120 characters on one line, trimmed."""
    tidy = " ".join(unicodedata.normalize("NFC", name).split())
    printable = all(unicodedata.category(c) not in {"Cc", "Cf", "Co", "Cs", "Cn"} for c in tidy)
    if not 2 <= len(tidy) <= 120 or not printable:
        raise Refusal("bad_name", "A name has 2 to 120 characters.", field=field)
    return tidy


def check_email(email: str, field: str = "admin.email") -> str:
    """An e-mail address that could exist, its domain in lower case."""
    tidy = email.strip()
    local, _, domain = tidy.rpartition("@")
    normal = f"{local}@{domain.lower()}"
    if (
        len(normal) > 254
        or not EMAIL.fullmatch(normal)
        or local.startswith(".")
        or local.endswith(".")
        or ".." in local
    ):
        message = "This does not look like an e-mail address: write it as name@example.org."
        raise Refusal("bad_email", message, field=field)
    return normal


def email_key(email: str) -> str:
    """A hash of the mailbox behind an address: case, `+tags`, and Gmail's dots do not make another person."""
    local, _, domain = email.lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in DOTS_DO_NOT_COUNT:
        local, domain = local.replace(".", ""), "gmail.com"
    return hashlib.sha256(f"{local}@{domain}".encode()).hexdigest()


def check_locale(locale: str) -> str:
    """French or English."""
    if locale not in LOCALES:
        raise Refusal("bad_locale", "Choose French (fr) or English (en).", field="locale")
    return locale


def check_entity_kind(kind: str | None) -> str | None:
    """What sort of public body it is, if stated."""
    if kind is not None and kind not in ENTITY_KINDS:
        raise Refusal("bad_entity_kind", "Choose the kind of organisation from the list.", field="entity_kind")
    return kind


def check_siret(siret: str) -> str:
    """A SIRET of 14 digits with a right check digit (La Poste's have their own rule), without spaces."""
    tidy = re.sub(r"[\s.\u00a0\u202f]", "", siret)
    if not re.fullmatch(r"[0-9]{14}", tidy):
        raise Refusal("bad_siret", "A SIRET has 14 digits.", field="siret")
    if not (_luhn(tidy) and _luhn(tidy[:9])) and not _is_la_poste(tidy):
        message = "This SIRET has a mistake: its check digit does not fit. Compare it with your notice from Insee."
        raise Refusal("bad_siret", message, field="siret")
    return tidy


def _luhn(digits: str) -> bool:
    doubled = (int(d) * (1 + n % 2) for n, d in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0 and int(digits) > 0


def _is_la_poste(siret: str) -> bool:
    """The post offices' SIRETs: numbers that fit ran out, so their digits sum to a multiple of five."""
    return siret.startswith(LA_POSTE) and sum(map(int, siret)) % 5 == 0


def skeleton(address: str) -> str:
    """What an address looks like to a hasty eye: `acme-2`, `acrne` and `acme` differ little."""
    looks = address.replace("-", "").translate(LOOKS).replace("rn", "m").replace("vv", "w").replace("cl", "d")
    return re.sub(r"(.)\1+", r"\1", looks)
