"""Whether an installation is prepared for this version, told without loading what prepares it."""

import hashlib
import json
from pathlib import Path
from urllib.parse import quote

from control_plane.embedded.house import House, write_private

CONTROL = "parvis"
READ_BY_IT = ("migrations", "control_plane/catalogue", "control_plane/embedded", "tenant_app/contract")


def stamp(house: House) -> str:
    """Changes when a newer Parvis may have something to prepare, and with the public port, which addresses name."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256(b"%d\0" % house.port)
    for path in sorted(file for part in READ_BY_IT for file in (root / part).rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_prepared(house: House) -> bool:
    """Whether this very version has prepared the installation."""
    done = house.run / "prepared"
    return house.first_run.exists() and done.exists() and done.read_text() == stamp(house)


def note_prepared(house: House) -> None:
    """Remember that this version has prepared the installation."""
    (house.run / "prepared").write_text(stamp(house))


def refresh_urls(house: House) -> None:
    """Another PARVIS_PORT gives other addresses."""
    told = json.loads(house.first_run.read_text())
    if told | house.urls() != told:
        write_private(house.first_run, json.dumps(told | house.urls(), indent=2) + "\n")


def control_url(port: int, password: str) -> str:
    """The control plane's own address of its database."""
    return f"postgresql://{CONTROL}:{quote(password)}@127.0.0.1:{port}/{CONTROL}"
