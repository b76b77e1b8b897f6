"""Words in the reader's language: catalogues of every room merged, French typography, and the choice of a locale.

English stands in the code; each room's `fr.po` holds its French in plain typing ("Chargement : 3 Go", "l'espace"), and
non-breaking spaces and typographic apostrophes are set here, once, when catalogues are read.
"""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from babel.core import negotiate_locale
from babel.messages.pofile import read_po

from kit.errors import Refusal

ROOT = Path(__file__).parent.parent.parent
LOCALES = ("fr", "en")
NAMES = {"fr": "Français", "en": "English"}
DEFAULT = "en"
COOKIE = "lang"

THIN = "\u202f"
WIDE = "\u00a0"
UNITS = r"(?:Go|Mo|Ko|To|o|%|€|s|ms|min|h|j|jours?|mois|ans?)\b|%(?!\()|€"


def french(text: str) -> str:
    """Plain typing as French print has it: `« Oui ; non : 3 Go »`, `l’espace`. Markup in the text is left alone."""
    text = re.sub(r"(?<=\w)'(?=\w)", "’", text)
    text = re.sub(r" (?=[;?!])", THIN, text)
    text = re.sub(r" (?=:)|(?<=«) | (?=»)", WIDE, text)
    return re.sub(rf"(?<=\d) (?={UNITS})", WIDE, text)


class Translator:
    """`gettext` and `ngettext` of one locale. An unknown message stays English."""

    def __init__(self, locale: str, messages: dict[str, tuple[str, ...]]) -> None:
        self.locale = locale
        self.messages = messages

    def gettext(self, message: str) -> str:
        """The message in this locale."""
        found = self.messages.get(message)
        return found[0] if found else message

    def ngettext(self, one: str, many: str, n: float) -> str:
        """The form for `n`; in French, 0 and 1 are singular."""
        found = self.messages.get(one)
        if found and len(found) > 1:
            return found[0] if n < 2 else found[1]
        return one if n == 1 else many

    def words(self, refusal: Refusal) -> str:
        """A refusal's words, its places filled."""
        text = self.gettext(refusal.message)
        return text.format(**refusal.params) if refusal.params else text

    __call__ = gettext


def catalogues() -> list[Path]:
    """Every room's catalogue."""
    rooms = ("kit/*/fr.po", "control_plane/*/fr.po", "tenant_app/*/fr.po", "billing/fr.po")
    return sorted(path for pattern in rooms for path in ROOT.glob(pattern))


def read(path: Path) -> dict[str, tuple[str, ...]]:
    """One catalogue: English → its French forms, typography set. Empty translations are left out."""
    messages: dict[str, tuple[str, ...]] = {}
    with path.open("rb") as file:
        for message in read_po(file, locale="fr"):
            key = message.id if isinstance(message.id, str) else message.id[0]
            forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
            if key and forms and all(forms):
                messages[key] = tuple(french(form) for form in forms)
    return messages


@functools.cache
def translator(locale: str) -> Translator:
    """The translator of a locale; catalogues are read once."""
    if locale != "fr":
        return Translator(locale if locale in LOCALES else DEFAULT, {})
    merged: dict[str, tuple[str, ...]] = {}
    for path in catalogues():
        merged |= read(path)
    return Translator("fr", merged)


def gettext_noop(message: str) -> str:
    """Marks a message for translation where it stands; it is translated where it is shown. Import it as `N_`."""
    return message


N_: Callable[[str], str] = gettext_noop


def locale_of(request: Any, preferred: str | None = None) -> str:
    """`?lang=`, then the cookie, then `preferred` (a signed-in person's choice), then the browser's languages."""
    for choice in (request.query_params.get("lang"), request.cookies.get(COOKIE), preferred):
        if choice in LOCALES:
            return str(choice)
    accepted = [
        (part.partition(";")[0].strip().replace("-", "_"), _quality(part))
        for part in request.headers.get("accept-language", "").split(",")
        if part.strip()
    ]
    wanted = [name for name, quality in sorted(accepted, key=lambda item: -item[1]) if quality > 0]
    found = negotiate_locale(wanted, list(LOCALES))
    return found.partition("_")[0] if found else DEFAULT


def _quality(part: str) -> float:
    match = re.search(r";\s*q=([0-9.]+)", part)
    try:
        return float(match[1]) if match else 1.0
    except ValueError:
        return 0.0
