"""`python -m kit.interface.check`: what templates, catalogues or style sheets may get wrong without anybody noticing.

`--write [room…]` first brings the `fr.po` of these rooms (or of all) up to date: new messages then wait there for
their French.
"""

import importlib
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Formatter

from jinja2 import TemplateError

from kit.interface import assets, catalogues
from kit.interface.i18n import ROOT
from kit.interface.icons import NAMES
from kit.interface.pages import environment, template_folders

FORBIDDEN = {
    r"<style\b|\sstyle\s*=": "inline style",
    r"<script(?![^>]*\bsrc=)": "inline script",
    r"\son[a-z]+\s*=\s*[\"']": "inline handler",
    r"\bhx-on\b|hx-on:": "hx-on",
    r"=\s*[\"']\s*js(?:avascript)?:": "script in an attribute",
    r"hx-trigger=\"[^\"]*\[": "trigger filter",
    r"(?:src|href|action)=\"(?:https?:)?//(?!\{)": "address on another host",
}
# Drawn for rooms that later work builds: tasks, chat, billing's console and charts.
AWAITED = frozenset(
    (
        *("board", "lane", "task", "meta", "room", "room-head", "stream", "message-tools", "thread", "composer"),
        *("chart", "chart-y", "chart-x", "chart-grid", "chart-line", "chart-area", "chart-limit", "chart-bar"),
        *("key", "chain", "skeleton", "selection", "palette", "message", "mention"),
    )
)
CLASS = re.compile(r'\bclass="([^"]*)"')
SCRIPTED = re.compile(r"class(?:Name\s*=\s*|List\.\w+\(|=\\?)[\"'`]([a-z -]+)[\"'`\\]")
JINJA = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)

# Names and sources to look at; without them, every template.
Pages = Iterable[tuple[str, str]] | None


def templates() -> Iterator[tuple[str, str]]:
    """Name and source of each template."""
    for folder in map(Path, template_folders()):
        for path in sorted(folder.rglob("*.html")):
            yield str(path.relative_to(ROOT)), re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)


def parsing() -> Iterator[str]:
    """Every template compiles."""
    for package in sorted({Path(folder).parent for folder in template_folders()[1:]}):
        # A room may bring filters and functions of its own to its templates.
        importlib.import_module(".".join(package.relative_to(ROOT).parts))
    loaded = environment("fr")
    for name in loaded.list_templates():
        try:
            loaded.get_template(name)
        except TemplateError as error:
            yield f"{name}: {error}"


def policy(pages: Pages = None) -> Iterator[str]:
    """Nothing that the content policy would refuse, and nothing from another host."""
    for name, text in templates() if pages is None else pages:
        if "/mails/" in name:
            continue
        for pattern, what in FORBIDDEN.items():
            for found in re.finditer(pattern, text):
                yield f"{name}: {what}: {text[found.start() : found.start() + 60]!r}"


def names(pages: Pages = None) -> Iterator[str]:
    """Icons and assets that are named exist."""
    served = {*assets.sources(), *assets.VENDORED, "icons.svg", "favicon.svg"}
    for name, text in templates() if pages is None else pages:
        for icon in re.findall(r"\bicon(?:_svg)?\(\"([^\"]+)\"", text):
            if icon not in NAMES:
                yield f"{name}: no icon {icon!r}"
        for asset in re.findall(r"\basset\(\"([^\"]+)\"", text):
            if asset not in served:
                yield f"{name}: no asset {asset!r}"


def _classes_in(text: str) -> Iterator[str]:
    # A class between two branches of Jinja is still a class: `class="a{% if b %} c{% endif %}"`.
    yield from re.findall(r"\{% block body_class %\}([a-z -]+)\{% endblock %\}", text)
    for value in CLASS.findall(JINJA.sub(" ", text)):
        yield from value.split()


def classes_used() -> dict[str, str]:
    """Class → where it is used first."""
    found: dict[str, str] = {}
    drawn = (ROOT / "kit/interface/pages.py").read_text()
    for name, text in (*templates(), ("kit/interface/pages.py", drawn)):
        for word in _classes_in(text):
            found.setdefault(word, name)
    scripts = {name: path.read_text() for name, path in assets.sources().items() if path.suffix == ".js"}
    for name, script in scripts.items():
        for value in SCRIPTED.findall(script):
            found |= dict.fromkeys(value.split(), name)
    return found


def classes_defined() -> set[str]:
    """Classes that the style sheets know."""
    css = "".join(path.read_text() for path in assets.sources().values() if path.suffix == ".css")
    css = re.sub(r"/\*.*?\*/|\"[^\"]*\"", "", css, flags=re.DOTALL)
    return set(re.findall(r"\.([a-z][a-z0-9-]*)", css))


def classes() -> Iterator[str]:
    """No class undefined, none unused (but those that wait for their room)."""
    used, defined = classes_used(), classes_defined()
    for word in sorted(set(used) - defined):
        yield f"{used[word]}: class {word!r} is in no style sheet"
    for word in sorted(defined - set(used) - AWAITED):
        yield f"the style sheets: class {word!r} is used nowhere"


def places(text: str) -> set[str]:
    """The places a message leaves to be filled, of either kind."""
    percent = set(re.findall(r"%\((\w+)\)", text))
    try:
        return percent | {name for _, name, _, _ in Formatter().parse(text) if name}
    except ValueError:
        return percent


def words() -> Iterator[str]:
    """Each message has its French in its room, with the same places; nothing stale; one message means one thing."""
    rooms = catalogues.used()
    french: dict[str, tuple[str, object]] = {}
    held = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/*/fr.po")}
    for room in sorted(held | set(rooms)):
        used = {catalogues.key(message) for message in rooms.get(room, ())}
        entries = {
            catalogues.key(catalogues.message_of(entry)): entry for entry in catalogues.catalogue(room) if entry.id
        }
        for name in sorted(set(entries) - used):
            yield f"{room}/fr.po: nothing says {name!r} any more"
        for name in sorted(used):
            entry = entries.get(name)
            if entry is None or not catalogues.translated(entry):
                yield f"{room}/fr.po: no French for {name!r}"
                continue
            other, string = french.setdefault(name, (room, entry.string))
            if string != entry.string:
                yield f"{room}/fr.po: {other} translates {name!r} otherwise"
            yield from _same_places(room, catalogues.message_of(entry), entry.string)


def _same_places(room: str, message: catalogues.Message, string: object) -> Iterator[str]:
    forms = [string] if isinstance(string, str) else list(string)  # type: ignore[call-overload]
    known = places(message) if isinstance(message, str) else places(message[0]) | places(message[1])
    for form in forms:
        if not places(form) <= known or (isinstance(message, str) and places(form) != known):
            yield f"{room}/fr.po: the places of {catalogues.key(message)!r} differ: {form!r}"


CHECKS = {
    "templates parse": parsing,
    "content policy": policy,
    "icons and assets": names,
    "classes": classes,
    "words": words,
}


def main(arguments: list[str]) -> int:
    """Print every finding; 1 if there is any."""
    if "--write" in arguments:
        for line in catalogues.update(frozenset(arguments) - {"--write"}):
            print("waits for its French:", line)  # noqa: T201 - a command's answer
    findings = [f"{what}: {finding}" for what, check in CHECKS.items() for finding in check()]
    print("\n".join(findings) or "the interface is whole")  # noqa: T201
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
