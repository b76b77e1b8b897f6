"""Which words the code and the templates use, and the catalogue each room keeps of their French."""

import ast
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from kit.interface.i18n import ROOT

Message = str | tuple[str, str]
# Call → which argument is the sentence.
SENTENCE = {"_": 0, "N_": 0, "gettext": 0, "Refusal": 1, "Effect": 1}
JINJA = {
    "extensions": "jinja2.ext.i18n,jinja2.ext.do",
    "trimmed": "true",
    "newstyle_gettext": "true",
    "silent": "false",
}
HEADER = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n > 1);\\n"

"""
# What speaks to terminals only: English.
ENGLISH = frozenset({"control_plane/commands"})


def room_of(path: Path) -> str | None:
    """The room whose catalogue translates a file's words, or None where only English is spoken."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == "kit":
        return "kit/interface"
    if parts[0] == "billing":
        return "billing"
    if len(parts) < 3:
        return "tenant_app/interface" if parts[0] == "tenant_app" else None
    room = "/".join(parts[:2])
    return None if room in ENGLISH else room


def files() -> Iterator[Path]:
    """Python and templates of the product."""
    for top in ("kit", "control_plane", "tenant_app", "billing"):
        for pattern in ("*.py", "*.html", "*.txt"):
            for path in sorted((ROOT / top).rglob(pattern)):
                if "node_modules" not in path.parts and (path.suffix == ".py" or "templates" in path.parts):
                    yield path


def messages_in(path: Path) -> set[Message]:
    """The messages one file uses."""
    if path.suffix == ".py":
        return set(_in_python(ast.parse(path.read_text())))
    messages: set[Message] = set()
    for _, message, *_rest in extract("jinja2", BytesIO(path.read_bytes()), options=JINJA):
        messages.add(message if isinstance(message, str) else (message[0], message[1]))
    return {message for message in messages if message}


def _in_python(tree: ast.Module) -> Iterator[Message]:
    # A refusal's sentence often stands in a variable of its own, for the line's length: that counts too.
    named: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named.setdefault(node.targets[0].id, []).extend(_texts(node.value, {}))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if called == "ngettext" and len(node.args) > 1:
                yield from zip(_texts(node.args[0], named), _texts(node.args[1], named), strict=True)
            elif called in SENTENCE and len(node.args) > SENTENCE[called]:
                yield from _texts(node.args[SENTENCE[called]], named)


def _texts(node: ast.expr, named: dict[str, list[str]]) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body, named)
        yield from _texts(node.orelse, named)
    elif isinstance(node, ast.Name):
        yield from named.get(node.id, ())


def used() -> dict[str, set[Message]]:
    """Room → messages."""
    rooms: dict[str, set[Message]] = {}
    for path in files():
        room = room_of(path)
        if room:
            rooms.setdefault(room, set()).update(messages_in(path))
    return rooms


def key(message: Message) -> str:
    """What a message is found by: its singular."""
    return message if isinstance(message, str) else message[0]


def message_of(entry: Any) -> Message:
    """What an entry translates."""
    return entry.id if isinstance(entry.id, str) else (entry.id[0], entry.id[1])


def catalogue(room: str) -> Catalog:
    """A room's catalogue; empty when it has none yet."""
    path = ROOT / room / "fr.po"
    if not path.exists():
        return Catalog(locale="fr")
    with path.open("rb") as file:
        return read_po(file, locale="fr")


def translated(entry: Any) -> bool:
    """Whether an entry has all its French forms."""
    return bool(entry.string) and (isinstance(entry.string, str) or all(entry.string))


def update(only: frozenset[str] = frozenset()) -> list[str]:
    """Add what a room uses and lacks, drop what it uses no more; gives what still waits for its French.

    A message that another room has in French already comes with it. `only` names rooms; without it, all are written.
    """
    rooms = used()
    known = {
        key(message_of(entry)): entry.string
        for room in rooms
        for entry in catalogue(room)
        if entry.id and translated(entry)
    }
    waiting = []
    for room in sorted(only or rooms):
        new = Catalog(locale="fr", charset="utf-8")
        own = {key(message_of(entry)): entry.string for entry in catalogue(room) if entry.id and translated(entry)}
        for message in rooms.get(room, ()):
            string = own.get(key(message)) or known.get(key(message))
            new.add(message, string)
            if string is None:
                waiting.append(f"{room}: {message}")
        _write(ROOT / room / "fr.po", new)
    return waiting


def _write(path: Path, new: Catalog) -> None:
    if not len(new):
        path.unlink(missing_ok=True)
        return
    out = BytesIO()
    write_po(out, new, width=0, no_location=True, omit_header=True, sort_output=True)
    path.write_text(HEADER + out.getvalue().decode().lstrip())
