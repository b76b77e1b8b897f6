"""A second real identity provider for SAML: npm's saml-idp, another writer of XML, on loopback."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from control_plane.embedded import ports, processes
from kit.saml import Key, ServiceProvider
from tests.peers import node, require
from tests.world.servers import stop

ISSUER = "urn:parvis:second-provider"


@dataclass(frozen=True)
class SamlIdp:
    """The running provider. It serves one service, and takes anybody's word for who he is."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def metadata(self) -> bytes:
        return httpx.get(f"{self.url}/metadata", trust_env=False, timeout=60).raise_for_status().content

    def use(self, *, sign_response: bool = False) -> None:
        """Whether it signs the response as well as the assertion."""
        told = {"signResponse": str(sign_response).lower()}
        httpx.post(f"{self.url}/settings", data=told, trust_env=False, timeout=60)


@contextmanager
def running_saml_idp(folder: Path, service: ServiceProvider) -> Iterator[SamlIdp]:
    """A provider for this service."""
    where = require()
    folder.mkdir(parents=True, exist_ok=True)
    port = ports.free_port()
    running = SamlIdp(port, _start(folder, where, port, service))
    try:
        if not processes.wait_for(lambda: _serves(running), 90, lambda: running.process.poll() is None):
            raise RuntimeError(f"saml-idp does not start:\n{(folder / 'log').read_text(errors='replace')[-2000:]}")
        yield running
    finally:
        stop(running.process)


def _serves(provider: SamlIdp) -> bool:
    try:
        return bool(provider.metadata())
    except httpx.HTTPError:
        return False


def _start(folder: Path, where: Path, port: int, service: ServiceProvider) -> "subprocess.Popen[bytes]":
    own, pem = Key.new("second provider"), serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    files = {
        "own.key": own.private.private_bytes(pem, form, serialization.NoEncryption()),
        "own.crt": x509.load_der_x509_certificate(own.certificate).public_bytes(pem),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    options = {
        "host": "127.0.0.1",
        "port": str(port),
        "issuer": ISSUER,
        "acsUrl": service.acs_url,
        "sloUrl": service.slo_url,
        "audience": service.entity_id,
        "key": str(folder / "own.key"),
        "cert": str(folder / "own.crt"),
        "configFile": str(where / "node_modules" / "saml-idp" / "config.js"),
    }
    command = [node(), str(where / "node_modules" / "saml-idp" / "bin" / "run.js")]
    for name, value in options.items():
        command += [f"--{name}", value]
    return processes.start(command, log=folder / "log", env={"PATH": "/usr/bin:/bin"}, cwd=where)
