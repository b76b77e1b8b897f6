"""The shape of the code: doors, sizes, and what must not stand in any file."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("control_plane", "tenant_app", "billing", "kit", "migrations")
LARGEST_MODULE = 400
# The hosts that serve packages: a lock file or a script that names one ties us to it.
REGISTRIES = re.compile(
    r"pypi" r"\.org|python" r"hosted\.org|npm" r"js\.(org|com)",
    re.IGNORECASE,
)
BINARY = {".png", ".ico", ".woff2", ".gz", ".br", ".zst", ".mo"}


def modules(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from (path for path in sorted((ROOT / package).rglob("*.py")) if "node_modules" not in path.parts)


def tracked() -> list[Path]:
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [path for name in told.split("\0") if name and (path := ROOT / name).is_file()]


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def past_the_door(path: Path, text: str) -> list[str]:
    """Imports of another room's modules, where only its package may be imported."""
    home = path.relative_to(ROOT).parts[:2]
    # The command line is one thing: its entry gathers its commands.
    own = {home, ("control_plane", "commands")} if home == ("control_plane", "cli.py") else {home}
    found = []
    for name in imported(ast.parse(text)):
        parts = name.split(".")
        if parts[0] in {"control_plane", "tenant_app", "billing"} and len(parts) >= 3 and tuple(parts[:2]) not in own:
            found.append(name)
    return found


def test_another_room_is_entered_by_its_door() -> None:
    found = {str(path): past_the_door(path, path.read_text()) for path in modules(*PACKAGES[:-1])}
    assert {path: names for path, names in found.items() if names} == {}


def test_the_control_an_import_past_the_door_is_seen() -> None:
    path = ROOT / "control_plane" / "portal" / "pages.py"
    assert past_the_door(path, "from control_plane.audit.chain import link") == ["control_plane.audit.chain"]
    assert past_the_door(path, "from control_plane.audit import record\nfrom control_plane.portal.x import y") == []


def test_a_module_stays_small_enough_to_be_read_at_once() -> None:
    # A revision is written once and only ever run.
    sizes = {
        str(path): len(path.read_text().splitlines()) for path in modules(*PACKAGES) if "versions" not in path.parts
    }
    assert {path: lines for path, lines in sizes.items() if lines > LARGEST_MODULE} == {}


def test_no_file_names_a_package_registry() -> None:
    naming = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix not in BINARY and REGISTRIES.search(path.read_text(errors="replace"))
    ]
    assert naming == []


def test_the_control_a_registry_would_be_seen() -> None:
    assert REGISTRIES.search("https://registry.npm" + "js.org/htmx.org")
    assert REGISTRIES.search("https://files.python" + "hosted.org/packages")


def test_every_locked_dependency_has_a_hash_and_no_address() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text()
        pinned = re.findall(r"^[a-z0-9.\-_]+(?:\[[^\]]+\])?==", text, re.MULTILINE | re.IGNORECASE)
        assert len(pinned) > 40
        assert text.count("--hash=sha256:") >= len(pinned)
        assert "://" not in text


def test_every_room_has_its_floor_in_the_import_contracts() -> None:
    contracts = (ROOT / ".importlinter").read_text()
    rooms = [
        f"{package}.{entry.name.removesuffix('.py')}"
        for package in ("control_plane", "tenant_app")
        for entry in (ROOT / package).iterdir()
        if (entry / "__init__.py").exists() or (entry.suffix == ".py" and entry.name != "__init__.py")
    ]
    assert [room for room in rooms if room not in contracts] == []


def commands(text: str) -> set[str]:
    """Targets of `make` that a document tells the reader to type."""
    return set(re.findall(r"(?:^|`)(?:PARVIS_PORT=\d+ )?make ([a-z]+)", text, re.MULTILINE))


def test_every_command_of_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for document in documents:
        assert commands(document.read_text()) <= targets, document
    assert {"up", "test"} <= commands((ROOT / "README.md").read_text())


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for document in [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name} → {target}"


# What several tests share has a module of its own.
FROM_TESTS = re.compile(
    r"^\s*(?:from\s+tests[\w.]*\.test_\w+|from\s+tests[\w.]*\s+import\s.*\btest_\w+|import\s+tests[\w.]*\.test_\w+)",
    re.MULTILINE,
)


def entered(text: str) -> list[str]:
    """Imports from modules of tests."""
    return [found.strip() for found in FROM_TESTS.findall(text)]


def test_no_test_imports_from_another_test() -> None:
    found = {str(path): entered(path.read_text()) for path in modules("tests")}
    assert {path: names for path, names in found.items() if names} == {}


def test_the_control_an_import_from_a_test_is_seen() -> None:
    tests = "tests.cli"
    assert entered(f"from {tests}.test_commands import told")
    assert entered(f"import pytest\n\nfrom {tests} import test_commands")
    assert entered(f"import {tests}.test_commands")
    assert entered(f"from {tests}.running import told\nfrom tests.world import waiting") == []


# What waits less would call a busy machine a failure of ours.
LEAST_PATIENCE = 60
BOUNDS = (
    re.compile(r"time\.monotonic\(\) \+ (\d+(?:\.\d+)?)\b"),
    re.compile(r"\.(?:wait|communicate)\((?:timeout=)?(\d+(?:\.\d+)?)\)"),
    re.compile(r"\.join\((?:timeout=)?(\d+(?:\.\d+)?)\)"),
)


def hasty(text: str) -> list[str]:
    """Lines that wait less than a minute, and do not say why; what takes less than a second is a pause."""
    return [
        line.strip()
        for line in text.splitlines()
        for bound in BOUNDS
        if (found := bound.search(line)) and 1 <= float(found[1]) < LEAST_PATIENCE and "# no longer:" not in line
    ]


def test_whoever_waits_in_a_test_has_patience() -> None:
    found = {str(path): hasty(path.read_text()) for path in modules("tests") if "bench" not in path.parts}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_the_control_haste_is_seen() -> None:
    wait = "wait"
    assert hasty(f"process.{wait}(timeout=10)\nthread.{wait}(120)\ndeadline = time.monotonic() " + "+ 5") == [
        f"process.{wait}(timeout=10)",
        "deadline = time.monotonic() " + "+ 5",
    ]
