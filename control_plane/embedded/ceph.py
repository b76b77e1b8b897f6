"""A one-node Ceph on loopback, kept in a folder: a monitor, a disk (a sparse file) and S3 gateways.

The order of a start: `prepare`; the monitor; `make_disk`; the disk; the first gateway; `ensure_admin`; other gateways.
Whoever runs it starts and watches the processes; a run that is cut off anywhere is finished by the next one.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

from control_plane.embedded import certificates, ports, processes
from control_plane.embedded.ceph_programs import PATH, missing, program
from control_plane.embedded.ceph_settings import KeyService, configuration
from control_plane.embedded.errors import EmbeddedError
from control_plane.embedded.house import write_private

ADMIN = "parvis-admin"
ADMIN_RIGHTS = "users=*;buckets=*;metadata=*;usage=*;zone=read"
REGION = "default"
DEFAULT_SIZE = 10 * 1024**3
START_SECONDS, TOOL_SECONDS = 90, 60
DISK_IS_UP = b"state: booting -> active"

Process = subprocess.Popen[bytes]


@dataclass
class Ceph:
    """One cluster in `folder` with so many `gateways`. Its ports and its administrator's key are drawn once.

    `logs` gets a file for each daemon. With `tls` the gateways speak TLS only. With `keys_address` they ask there for
    organisations' data keys, with the token in `token_file`. `env` marks the processes.
    """

    folder: Path
    logs: Path
    gateways: int = 1
    tls: bool = False
    keys_address: str | None = None
    size: int = DEFAULT_SIZE
    env: Mapping[str, str] = field(default_factory=dict)
    _disk_log_from: int = 0

    def __post_init__(self) -> None:
        if reason := missing():
            raise EmbeddedError(reason)
        # Ceph reads its settings by this path from wherever it works.
        self.folder = self.folder.resolve()

    # What it is.

    @property
    def drawn(self) -> dict[str, Any]:
        """What was drawn when it was made: fsid, disk, size, mon_port, gateway_ports, key_id, secret."""
        drawn: dict[str, Any] = json.loads((self.folder / "drawn.json").read_text())
        return drawn

    @property
    def endpoints(self) -> list[str]:
        """The gateways' addresses."""
        scheme = "https" if self.tls else "http"
        return [f"{scheme}://127.0.0.1:{port}" for port in self.drawn["gateway_ports"][: self.gateways]]

    @property
    def ca_file(self) -> Path | None:
        """The authority that signed the gateways' certificate, where they speak TLS."""
        return self.folder / "ca.pem" if self.tls else None

    @property
    def token_file(self) -> Path:
        """The token that gateways show where they ask for data keys."""
        return self.folder / "keys.token"

    @property
    def _ready(self) -> Path:
        return self.folder / "ready"

    def store_settings(self, public_endpoint: str | None = None) -> dict[str, Any]:
        """The settings of a cell whose store this is, with the administrator's secret in plain."""
        drawn, endpoint = self.drawn, self.endpoints[0]
        settings = {
            "kind": "ceph",
            "endpoint": endpoint,
            "public_endpoint": public_endpoint or endpoint,
            "region": REGION,
            "admin_key_id": drawn["key_id"],
            "admin_secret": drawn["secret"],
            "tenant_keys": self.keys_address is not None,
        }
        return settings | ({"ca_file": str(self.ca_file)} if self.tls else {})

    # Making it.

    def prepare(self) -> None:
        """Its settings are written, and its monitor's data made; a half-made cluster of a cut run is made again."""
        if not self._ready.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._draw()
        for name in ("mon", "osd", *(f"gateway-{number}" for number in range(self.gateways))):
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)
        (self.folder / "keyring").touch()
        if not self.token_file.exists():
            write_private(self.token_file, secrets.token_urlsafe(32))
        if self.tls and not (self.folder / "ca.pem").exists():
            certificates.make(self.folder / "ca.pem", self.folder / "server.pem", self.folder / "server.key")
        self._write_configuration()
        self._give_away()
        self._make_monitor()

    def _draw(self) -> None:
        path = self.folder / "drawn.json"
        drawn: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        known = drawn | {
            "fsid": drawn.get("fsid") or str(uuid4()),
            "disk": drawn.get("disk") or str(uuid4()),
            "size": drawn.get("size") or self.size,
            "mon_port": drawn.get("mon_port") or ports.free_port(),
            "gateway_ports": drawn.get("gateway_ports") or [],
        }
        while len(known["gateway_ports"]) < self.gateways:
            port = ports.free_port()
            if port not in {known["mon_port"], *known["gateway_ports"]}:
                known["gateway_ports"].append(port)
        if known != drawn:
            self._note(known)

    def _note(self, drawn: Mapping[str, Any]) -> None:
        write_private(self.folder / "drawn.json", json.dumps(drawn, indent=2) + "\n")

    def _write_configuration(self) -> None:
        drawn, tls = self.drawn, ""
        if self.tls:
            tls = f" ssl_certificate={self.folder}/server.pem ssl_private_key={self.folder}/server.key"
        kind = "ssl_endpoint" if self.tls else "endpoint"
        gateways = [f"{kind}=127.0.0.1:{port}{tls}" for port in drawn["gateway_ports"][: self.gateways]]
        keys = KeyService(self.keys_address, self.token_file) if self.keys_address else None
        text = configuration(self.folder, drawn, gateways, keys, tls=self.tls)
        (self.folder / "ceph.conf").write_text(text)

    @property
    def _account(self) -> processes.Account | None:
        """Started by root it runs as nobody, like the database: it serves whoever reaches its ports."""
        return processes.account_for(self.folder.parent)

    def _give_away(self) -> None:
        if account := self._account:
            for path in (self.folder, *self.folder.iterdir()):
                if path.name not in {"drawn.json", "ready"}:
                    os.chown(path, account.uid, account.gid)

    def _make_monitor(self) -> None:
        if self._ready.exists():
            return
        drawn, monmap = self.drawn, str(self.folder / "monmap")
        address = f"[v2:127.0.0.1:{drawn['mon_port']}]"
        self._tool("monmaptool", "--create", "--clobber", "--fsid", drawn["fsid"], "--addv", "a", address, monmap)
        self._tool("ceph-mon", *self._conf, "-i", "a", "--mkfs", "--monmap", monmap)

    def make_disk(self, monitor: Process) -> None:
        """The disk is known to the monitor, which runs, and its file is made."""
        if self._ready.exists():
            return
        identity = self.drawn["disk"]
        self._tool("ceph", *self._conf, "osd", "new", identity, needs=monitor)
        self._tool("ceph-osd", *self._conf, "-i", "0", "--mkfs", "--osd-uuid", identity)

    def ensure_admin(self, gateway: Process) -> None:
        """The administrator of the S3 side exists, beside a gateway that runs; the cluster is whole from here on."""
        if self._ready.exists():
            return
        said = self.folder / "admin.json"
        write_private(said, "")
        # Ceph draws the key and tells it: given on a command line, everybody on the machine could read it.
        self._tool(
            *("radosgw-admin", *self._conf, "user", "create", "--uid", ADMIN, "--display-name", "Parvis"),
            *("--caps", ADMIN_RIGHTS, "--gen-access-key", "--gen-secret"),
            needs=gateway,
            log=said,
        )
        told = said.read_text()
        key = json.loads(told[told.index("{") :])["keys"][0]
        self._note(self.drawn | {"key_id": key["access_key"], "secret": key["secret_key"]})
        said.unlink()
        self._ready.touch()

    @property
    def _conf(self) -> tuple[str, str]:
        return ("-c", f"{self.folder}/ceph.conf")

    def _tool(self, *command: str, needs: Process | None = None, log: Path | None = None) -> None:
        """Run a program to its end; it is ended with the daemon that it needs."""
        log = log or self.logs / "ceph-tools.log"
        child = self._run(command, log, signal.SIGKILL)
        alive = (lambda: needs.poll() is None) if needs else lambda: True
        if not processes.wait_for(lambda: child.poll() is not None, TOOL_SECONDS, alive):
            child.kill()
        if code := child.wait():
            raise EmbeddedError(f"Ceph could not be made ({command[0]} ended with {code}); the reason is in {log}.")

    def _run(self, command: tuple[str, ...], log: Path, death_signal: signal.Signals) -> Process:
        env = {"PATH": PATH, "LC_ALL": "C", "HOME": str(self.folder), **self.env}
        return processes.start(
            [program(command[0]), *command[1:]],
            log=log,
            env=env,
            cwd=self.folder,
            account=self._account,
            death_signal=death_signal,
        )

    # Running it.

    def start_monitor(self) -> Process:
        """Start the monitor; see `wait_for_monitor`."""
        ports.claim(self.drawn["mon_port"], f"the object store in {self.folder}")
        return self._daemon("monitor", "ceph-mon", "-i", "a")

    def start_disk(self) -> Process:
        """Start the disk; see `wait_for_disk`."""
        log = self.log("disk")
        self._disk_log_from = log.stat().st_size if log.exists() else 0
        return self._daemon("disk", "ceph-osd", "-i", "0")

    def start_gateway(self, number: int = 0) -> Process:
        """Start a gateway; see `wait_for_gateway`."""
        ports.claim(self.drawn["gateway_ports"][number], f"the object store in {self.folder}")
        return self._daemon(f"gateway-{number}", "radosgw", "-n", f"client.rgw.{number}")

    def log(self, name: str) -> Path:
        """What a daemon says: `monitor`, `disk`, `gateway-0` and so on."""
        return self.logs / f"ceph-{name}.log"

    def _daemon(self, name: str, command: str, *arguments: str) -> Process:
        return self._run((command, *self._conf, *arguments, "-f"), self.log(name), signal.SIGTERM)

    def wait_for_monitor(self, child: Process) -> None:
        """Wait until the monitor takes connections."""
        self._wait("monitor", lambda: _listens(self.drawn["mon_port"]), child)

    def wait_for_disk(self, child: Process) -> None:
        """Wait until the disk that was started last serves."""
        self._wait("disk", self._disk_is_up, child)

    def wait_for_gateway(self, child: Process, number: int = 0) -> None:
        """Wait until the gateway answers, for which it must have reached the monitor and the disk."""
        self._wait(f"gateway-{number}", lambda: self.answers(number), child)

    def _wait(self, name: str, ready: Callable[[], bool], child: Process) -> None:
        if not processes.wait_for(ready, START_SECONDS, lambda: child.poll() is None):
            raise EmbeddedError(f"The object store's {name} did not start; the reason is in {self.log(name)}.")

    def _disk_is_up(self) -> bool:
        with self.log("disk").open("rb") as file:
            file.seek(self._disk_log_from)
            return DISK_IS_UP in file.read()

    def answers(self, number: int = 0, seconds: float = 2) -> bool:
        """Whether a gateway answers anything at all."""
        port = self.drawn["gateway_ports"][number]
        connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
        if self.tls:
            context = ssl.create_default_context(cafile=str(self.ca_file))
            connection = HTTPSConnection("127.0.0.1", port, timeout=seconds, context=context)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status < 500
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
