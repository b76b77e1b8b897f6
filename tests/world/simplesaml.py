"""Debian's SimpleSAMLphp as a real identity provider on loopback, in a folder and on a port of its own."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lxml import etree

from control_plane.embedded import ports, processes
from kit.saml import Key
from tests.world.servers import stop

WWW = Path("/usr/share/simplesamlphp/www")
CURE = "apt-get install --no-install-recommends simplesamlphp php-cli php-xml php-mbstring php-curl php-sqlite3"
NS = {"md": "urn:oasis:names:tc:SAML:2.0:metadata", "ds": "http://www.w3.org/2000/09/xmldsig#"}
BASIC = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
# What is signed, and whether the assertion is encrypted.
Mode = Literal["both", "assertion", "response", "encrypted"]
Person = dict[str, list[str]]

CONFIG = """<?php
$b = getenv('SAML_FOLDER');
$config = [
  'baseurlpath' => getenv('SAML_URL'), 'certdir' => "$b/cert/", 'loggingdir' => "$b/log/", 'datadir' => "$b/data/",
  'tempdir' => "$b/tmp", 'metadatadir' => "$b/metadata/", 'timezone' => 'UTC', 'secretsalt' => 'only-on-loopback',
  'auth.adminpassword' => 'nobody-needs-it', 'technicalcontact_email' => 'na@example.org',
  'enable.saml20-idp' => true, 'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
  'session.cookie.secure' => false, 'session.cookie.samesite' => 'Lax', 'session.phpsession.savepath' => "$b/sessions",
  'store.type' => 'sql', 'store.sql.dsn' => "sqlite:$b/data/store.sq3", 'store.sql.prefix' => 'ssp',
  'logging.handler' => 'file', 'logging.level' => 7, 'showerrors' => true, 'production' => false,
  'admin.checkforupdates' => false, 'language.default' => 'en', 'theme.use' => 'default',
  'metadata.sources' => [['type' => 'flatfile']], 'trusted.url.domains' => [],
];
"""
PEOPLE = """<?php
$people = json_decode(file_get_contents(getenv('SAML_FOLDER') . '/people.json'), true);
$config = ['people' => array_merge(['exampleauth:UserPass'], $people)];
"""
HOSTED = """<?php
$metadata[getenv('SAML_URL') . 'saml2/idp/metadata.php'] = array_merge(
  ['host' => '__DEFAULT__', 'auth' => 'people'],
  json_decode(file_get_contents(getenv('SAML_FOLDER') . '/provider.json'), true),
);
"""
SERVICES = """<?php
$metadata = json_decode(file_get_contents(getenv('SAML_FOLDER') . '/services.json'), true);
"""


def missing() -> str | None:
    """Why there is no SimpleSAMLphp here, in words that name the cure."""
    if WWW.is_dir() and shutil.which("php"):
        return None
    return f"NOT TESTED: SimpleSAMLphp is not installed, so nothing was tried with a real identity provider ({CURE})"


def require() -> None:
    """Without it a test skips with the reason, and fails where CI=true."""
    reason = missing()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@dataclass
class SimpleSaml:
    """A running provider. Whom it knows and whom it serves may change at any time."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"
    people: dict[str, Person] = field(default_factory=dict)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def entity_id(self) -> str:
        return f"{self.url}saml2/idp/metadata.php"

    @property
    def log(self) -> str:
        path = self.folder / "log" / "simplesamlphp.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def metadata(self) -> bytes:
        """Its own metadata, as it serves it."""
        return httpx.get(self.entity_id, trust_env=False, timeout=60).raise_for_status().content

    def add_person(self, name: str, password: str, **values: str | Sequence[str]) -> None:
        """Somebody who can sign in; `values` are attributes. `uid` is the name unless given."""
        listed = {key: [value] if isinstance(value, str) else list(value) for key, value in values.items()}
        self.people[f"{name}:{password}"] = {"uid": [name], **listed}
        self._write("people", self.people)

    def trust(self, metadata: bytes, mode: Mode = "both", *, name_id: str = "uid", **others: Any) -> None:
        """Serve the service that this metadata describes; `name_id` is the attribute its people are known by."""
        entity, service = _service(metadata)
        service |= {
            "assertion.encryption": mode == "encrypted",
            "saml20.sign.response": mode != "assertion",
            "saml20.sign.assertion": mode != "response",
            "simplesaml.nameidattribute": name_id,
            "validate.authnrequest": True,
            "validate.logout": True,
            "sign.logout": True,
        }
        self.services[entity] = service | others
        self._write("services", self.services)

    def use_key(self, key: Key, announced: Key | None = None) -> None:
        """Sign by another key from now on; `announced` stands in the metadata before it is used."""
        told = {"privatekey": _keep(self.folder, "current", key), "certificate": "current.crt"}
        if announced is not None:
            told |= {"new_privatekey": _keep(self.folder, "next", announced), "new_certificate": "next.crt"}
        told |= {"signature.algorithm": RSA_SHA256, "attributes.NameFormat": BASIC}
        self._write("provider", told)

    def _write(self, name: str, content: Any) -> None:
        made = self.folder / f"{name}.json.new"
        made.write_text(json.dumps(content))
        made.replace(self.folder / f"{name}.json")


def _keep(folder: Path, name: str, key: Key) -> str:
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "cert" / f"{name}.pem").write_bytes(key.private.private_bytes(pem, form, serialization.NoEncryption()))
    certificate = x509.load_der_x509_certificate(key.certificate)
    (folder / "cert" / f"{name}.crt").write_bytes(certificate.public_bytes(pem))
    return f"{name}.pem"


def _service(metadata: bytes) -> tuple[str, dict[str, Any]]:
    """A service's metadata as SimpleSAMLphp's own converter would have it."""
    root = etree.fromstring(metadata)

    def places(name: str) -> list[dict[str, Any]]:
        found = root.findall(f"md:SPSSODescriptor/md:{name}", NS)
        return [{"index": n, "Binding": e.get("Binding"), "Location": e.get("Location")} for n, e in enumerate(found)]

    keys = []
    for element in root.findall("md:SPSSODescriptor/md:KeyDescriptor", NS):
        text = element.findtext("ds:KeyInfo/ds:X509Data/ds:X509Certificate", namespaces=NS) or ""
        uses = {"signing": element.get("use") != "encryption", "encryption": element.get("use") != "signing"}
        keys.append({**uses, "type": "X509Certificate", "X509Certificate": "".join(text.split())})
    return str(root.get("entityID")), {
        "AssertionConsumerService": places("AssertionConsumerService"),
        "SingleLogoutService": places("SingleLogoutService"),
        "NameIDFormat": root.findtext("md:SPSSODescriptor/md:NameIDFormat", namespaces=NS),
        "keys": keys,
    }


@contextmanager
def running_simplesaml(folder: Path) -> Iterator[SimpleSaml]:
    """A provider with nobody and nothing in it yet: `add_person`, `trust`."""
    _prepare(folder)
    port = ports.free_port()
    provider = SimpleSaml(folder, port, _start(folder, port))
    provider.use_key(Key.new("provider"))
    provider._write("people", {})
    provider._write("services", {})
    try:
        _wait(provider)
        yield provider
    finally:
        stop(provider.process)


def _prepare(folder: Path) -> None:
    for name in ("config", "metadata", "cert", "log", "data", "tmp", "sessions"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    files = {
        "config/config.php": CONFIG,
        "config/authsources.php": PEOPLE,
        "metadata/saml20-idp-hosted.php": HOSTED,
        "metadata/saml20-sp-remote.php": SERVICES,
    }
    for name, content in files.items():
        (folder / name).write_text(content)


def _start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    settings = {
        "PATH": os.environ["PATH"],
        "SAML_FOLDER": str(folder),
        "SAML_URL": f"http://127.0.0.1:{port}/",
        "SIMPLESAMLPHP_CONFIG_DIR": str(folder / "config"),
    }
    command = ["php", "-d", f"session.save_path={folder / 'sessions'}", "-S", f"127.0.0.1:{port}", "-t", str(WWW)]
    return processes.start(command, log=folder / "log" / "php.log", env=settings, cwd=folder)


def _serves(provider: SimpleSaml) -> bool:
    try:
        return bool(provider.metadata())
    except httpx.HTTPError:
        return False


def _wait(provider: SimpleSaml) -> None:
    if not processes.wait_for(lambda: _serves(provider), 90, lambda: provider.process.poll() is None):
        said = (provider.folder / "log" / "php.log").read_text(errors="replace")
        raise RuntimeError(f"SimpleSAMLphp does not start:\n{said[-2000:]}")
