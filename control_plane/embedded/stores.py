"""Where an installation keeps the workspaces' files: in files behind a gateway of our own, or in a Ceph.

It is chosen at the first start and stays: the files of the one are out of the other's reach.
"""

import asyncio
import importlib.util
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from control_plane.embedded import ports
from control_plane.embedded.ceph import Ceph
from control_plane.embedded.ceph_programs import missing
from control_plane.embedded.errors import EmbeddedError
from control_plane.embedded.house import FILES_HOST, House, basics
from control_plane.embedded.parts import Part
from control_plane.embedded.programs import Start, granian, starter

LARGEST_DISK, SMALLEST_DISK = 100 * 1024**3, 4 * 1024**3
KEYS = "tenant_app.keys"


# Starts a part under a name, and keeps it running.
Begin = Callable[[str, Start], Part]


class Store(Protocol):
    """The store of one installation."""

    @property
    def port(self) -> int:
        """Where its gateway listens."""

    def settings(self) -> dict[str, Any]:
        """The settings of the cell that keeps its files here, secrets in plain."""

    async def begin(self, begin: Begin) -> None:
        """Start what needs nothing of the product. When this returns, all of it is on its way."""

    def begin_beside(self, begin: Begin) -> None:
        """Start what reads the cell's file, beside the tenant app."""

    def answering(self) -> dict[str, int]:
        """Its parts that tell by /healthz that they live, with their ports."""

    def words(self) -> str:
        """What a person may want to know of it, in one line; empty if nothing."""


def settle(house: House, *, wants_ceph: bool) -> None:
    """Where this installation keeps its files is decided, and can be done here; EmbeddedError says why not."""
    kind = house.store_kind
    if kind == "files" and wants_ceph:
        raise EmbeddedError(
            f"This installation keeps its files in {house.store}, where Ceph would not find them. Start it without "
            "CEPH=1, or make a new one with Ceph in another folder."
        )
    kind = kind or ("ceph" if wants_ceph else "files")
    if kind == "ceph" and (reason := missing()):
        raise EmbeddedError(reason)
    house.secrets(kind)


def of(house: House) -> Store:
    """The store of this installation, which is settled."""
    drawn = house.secrets()
    return CephStore(house, drawn["keys_port"]) if drawn["store"] == "ceph" else Files(house, drawn["store_port"])


@dataclass(frozen=True)
class Files:
    """Files on disk, behind a gateway of our own; browsers reach it through the public port."""

    house: House
    port: int

    def settings(self) -> dict[str, Any]:
        """See `Store`."""
        return {
            "kind": "files",
            "root": str(self.house.store),
            "endpoint": f"http://127.0.0.1:{self.port}",
            "public_endpoint": self.house.files_url,
        }

    async def begin(self, begin: Begin) -> None:
        """See `Store`."""
        ports.claim(self.port, f"the store of files in {self.house.store}")
        env = {"PARVIS_SERVE": "kit.filestore.gateway:app", "PARVIS_STORE_ROOT": str(self.house.store)}
        begin("store", starter(self.house, "store", granian(self.port), basics(self.house) | env))

    def begin_beside(self, begin: Begin) -> None:
        """See `Store`."""

    def answering(self) -> dict[str, int]:
        """See `Store`."""
        return {"store": self.port}

    def words(self) -> str:
        """See `Store`."""
        return ""


@dataclass(frozen=True)
class CephStore:
    """A Ceph of one node; browsers reach its gateway directly."""

    house: House
    keys_port: int

    @property
    def ceph(self) -> Ceph:
        """The cluster."""
        room = shutil.disk_usage(self.house.var).free // 2
        return Ceph(
            self.house.ceph,
            self.house.var / "log",
            keys_address=f"http://127.0.0.1:{self.keys_port}" if gives_keys() else None,
            size=max(SMALLEST_DISK, min(LARGEST_DISK, room)),
            env={"PARVIS_UP_FOLDER": str(self.house.folder)},
        )

    @property
    def port(self) -> int:
        """See `Store`."""
        return int(self.ceph.drawn["gateway_ports"][0])

    def settings(self) -> dict[str, Any]:
        """See `Store`."""
        return self.ceph.store_settings(f"http://{FILES_HOST}:{self.port}")

    async def begin(self, begin: Begin) -> None:
        """See `Store`. The whole cluster serves when this returns."""
        ceph = self.ceph
        await asyncio.to_thread(ceph.prepare)
        monitor = _running(begin("ceph-monitor", ceph.start_monitor))
        await asyncio.to_thread(ceph.wait_for_monitor, monitor)
        await asyncio.to_thread(ceph.make_disk, monitor)
        # A gateway that comes before its disk looks again only after seconds.
        await asyncio.to_thread(ceph.wait_for_disk, _running(begin("ceph-disk", ceph.start_disk)))
        gateway = _running(begin("ceph-gateway", ceph.start_gateway))
        await asyncio.to_thread(ceph.wait_for_gateway, gateway)
        await asyncio.to_thread(ceph.ensure_admin, gateway)

    def begin_beside(self, begin: Begin) -> None:
        """See `Store`. The gateway asks there for organisations' data keys, which the cell knows."""
        if not gives_keys():
            return
        env = {
            "PARVIS_SERVE": f"{KEYS}:app",
            "PARVIS_CELL_FILE": str(self.house.cell_file),
            "PARVIS_GATEWAY_TOKEN_FILE": str(self.ceph.token_file),
        }
        ports.claim(self.keys_port, f"the server of data keys in {self.house.var}")
        begin("keys", starter(self.house, "keys", granian(self.keys_port), basics(self.house) | env))

    def answering(self) -> dict[str, int]:
        """See `Store`."""
        return {"keys": self.keys_port} if gives_keys() else {}

    def words(self) -> str:
        """See `Store`."""
        return f"Ceph, at {self.settings()['public_endpoint']}"


def gives_keys() -> bool:
    """Whether this Parvis can give a store organisations' data keys."""
    return importlib.util.find_spec(KEYS) is not None


def _running(part: Part) -> "subprocess.Popen[bytes]":
    assert part.process is not None
    return part.process
