"""Names of files and folders: any language, nothing that a path or a terminal would take for something else."""

import mimetypes
import unicodedata
from urllib.parse import quote

from kit.errors import Refusal

LONGEST = 255
# Controls, and the marks that turn the reading direction so that a name seems to end otherwise than it does.
FORBIDDEN = {"Cc", "Cs", "Zl", "Zp"}
DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Types a browser could run if it were ever shown them inline.
ACTIVE = ("html", "svg", "xml", "javascript", "ecmascript", "x-shockwave", "pdf+html", "mhtml", "xslt", "x-httpd")
UNKNOWN = "application/octet-stream"
ICONS = {
    "image": frozenset(["png", "jpg", "jpeg", "gif", "webp", "avif", "heic", "bmp", "tif", "tiff", "svg"]),
    "sheet": frozenset(["xls", "xlsx", "ods", "csv", "tsv"]),
    "file-text": frozenset(["pdf", "doc", "docx", "odt", "txt", "md", "rtf", "html"]),
    "film": frozenset(["mp4", "mov", "mkv", "webm", "avi"]),
    "music": frozenset(["mp3", "ogg", "flac", "wav", "m4a"]),
    "package": frozenset(["zip", "7z", "tar", "gz", "rar", "xz"]),
}


def _refuse(code: str, message: str) -> Refusal:
    return Refusal(code, message, field="name")


def clean(name: str) -> str:
    """The name as it is stored (NFC, without spaces around it); a Refusal names what is wrong with it."""
    try:
        name = unicodedata.normalize("NFC", name).strip()
    except UnicodeError:
        name = ""
    if not name:
        raise _refuse("name_missing", "A name is missing.")
    if name in {".", ".."}:
        raise _refuse("name_reserved", "“.” and “..” have a meaning of their own. Choose another name.")
    if "/" in name or "\\" in name:
        raise _refuse("name_slash", "A name cannot contain / or \\.")
    if any(unicodedata.category(letter) in FORBIDDEN or letter in DIRECTION for letter in name):
        raise _refuse("name_control", "This name contains characters that cannot be seen. Type it again.")
    if len(name) > LONGEST:
        raise _refuse("name_long", "A name can have 255 characters at most.")
    return name


def numbered(name: str, number: int) -> str:
    """`plan.pdf` becomes `plan (2).pdf`, within the longest length."""
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending) > 12:
        stem, dot, ending = name, "", ""
    tail = f" ({number}){dot}{ending}"
    return stem[: LONGEST - len(tail)] + tail


def media_type(name: str) -> str:
    """A type guessed from the name alone; whatever a browser might run is only bytes."""
    guessed = mimetypes.guess_type(name, strict=False)[0] or UNKNOWN
    if len(guessed) > 100 or any(word in guessed for word in ACTIVE):
        return UNKNOWN
    return guessed


def disposition(name: str) -> str:
    """Content-Disposition that always downloads, with the name in every language (RFC 6266)."""
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\%' else "_" for letter in name
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def kind_of(name: str) -> str:
    """The icon that stands for a file."""
    ending = name.rpartition(".")[2].lower()
    return next((icon for icon, endings in ICONS.items() if ending in endings), "file")
