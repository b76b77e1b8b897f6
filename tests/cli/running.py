"""`parvis` as people and scripts run it, against the whole product."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.world.product import Product


def parvis(folder: Path, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run the command in a folder, as a script does: no terminal, no PARVIS_ setting but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PARVIS_", "LC_", "LANG"))}
    return subprocess.run(
        [sys.executable, "-m", "control_plane", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(Path(__file__).parents[2]), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def told(folder: Path, *arguments: str) -> Any:
    """What a command prints with --json; it must succeed."""
    done = parvis(folder, *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def ordered(product: Product, address: str) -> None:
    told(
        product.folder,
        *("organisation", "create", "--name", "Ville", "--address", address, "--offer", "team"),
        *("--admin-email", f"camille@{address}.example", "--admin-name", "Camille Martin"),
    )
