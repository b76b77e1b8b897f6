"""Settings: read once from the environment, frozen; a wrong one stops the start with its name and what was expected."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from kit.reading import PREFIX, SettingError, read, url_of, without_password, yes_or_no
from kit.staff_oidc import StaffOidc
from kit.vault import Vault

__all__ = [
    "CellSettings",
    "CellWorkerSettings",
    "ControlPlaneSettings",
    "KeysSettings",
    "SettingError",
    "StaffOidc",
    "broker_url",
    "log_level",
    "without_password",
    "workspace_url",
]

SHORTEST_TOKEN = 20
DNS_PORT = 53
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
SUFFIX = re.compile(r"(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")


def _allow_private_fetch(env: Mapping[str, str]) -> bool:
    return read(
        env,
        "ALLOW_PRIVATE_FETCH",
        "1 to fetch what identity providers publish in private networks and without TLS too, 0 not to",
        yes_or_no,
        default="0",
    )


def _suffix(value: str) -> str:
    if not SUFFIX.fullmatch(value):
        raise ValueError(value)
    return value


def _mailbox(value: str) -> str:
    _, address = parseaddr(value)
    local, _, domain = address.rpartition("@")
    if not local or not domain or "\n" in value or "\r" in value:
        raise ValueError(value)
    return value


def _level(value: str) -> str:
    if value.upper() not in LEVELS:
        raise ValueError(value)
    return value.upper()


def _addresses(value: str) -> frozenset[str]:
    return frozenset(str(ipaddress.ip_address(item.strip())) for item in value.split(",") if item.strip())


def _readable(value: str) -> Path:
    path = Path(value)
    with path.open("rb"):
        return path


def _optional_path(value: str) -> Path | None:
    return None if value == "-" else Path(value)


def _site_url(env: Mapping[str, str]) -> str:
    return read(
        env,
        "SITE_URL",
        "an address such as https://parvis.example, without a path",
        url_of("http", "https", path=False),
        default="http://parvis.localhost:8080",
        show=without_password,
    )


def _resolvers(value: str) -> tuple[tuple[str, int], ...]:
    """Name servers as address and port; 53 unless told. An IPv6 address with a port stands in brackets."""
    items = [item.strip() for item in value.split(",") if item.strip()]
    parts = [urlsplit(f"//[{one}]" if one.count(":") > 1 and one[0] != "[" else f"//{one}") for one in items]
    return tuple((str(ipaddress.ip_address(one.hostname or "")), one.port or DNS_PORT) for one in parts)


def _dns_resolvers(env: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    return read(
        env,
        "DNS_RESOLVERS",
        "IP addresses of name servers separated by commas, each with :port if that is not 53",
        _resolvers,
        default=",",
    )


def _workspace_suffix(env: Mapping[str, str]) -> str:
    return read(
        env,
        "WORKSPACE_SUFFIX",
        "a lower-case domain that begins with a dot, such as .parvis.example",
        _suffix,
        default=".parvis.localhost",
    )


def _trusted_edges(env: Mapping[str, str]) -> frozenset[str]:
    return read(env, "TRUSTED_EDGES", "IP addresses separated by commas", _addresses, default=",")


def _smtp_url(env: Mapping[str, str]) -> str:
    return read(
        env,
        "SMTP_URL",
        "an address such as smtp://user:password@mail.example:587 (smtps:// for TLS from the start)",
        url_of("smtp", "smtps"),
        default="smtp://127.0.0.1:1025",
        show=without_password,
    )


def _mail_from(env: Mapping[str, str]) -> str:
    return read(
        env,
        "MAIL_FROM",
        "a sender such as Parvis <bonjour@parvis.example>",
        _mailbox,
        default="Parvis <bonjour@parvis.localhost>",
    )


def log_level(env: Mapping[str, str] | None = None) -> str:
    """PARVIS_LOG_LEVEL, INFO unless told."""
    return read(os.environ if env is None else env, "LOG_LEVEL", "one of " + ", ".join(LEVELS), _level, default="INFO")


def broker_url(env: Mapping[str, str] | None = None) -> str:
    """PARVIS_BROKER_URL: where Celery's messages go."""
    return read(
        os.environ if env is None else env,
        "BROKER_URL",
        "an address such as redis://127.0.0.1:6379/0 or amqp://user:password@broker//",
        url_of("redis", "rediss", "amqp", "amqps"),
        show=without_password,
    )


def _hidden(_value: str) -> str:
    return "…"


def _master_keys(env: Mapping[str, str]) -> Vault:
    """PARVIS_MASTER_KEY_FILE, or instead of a file the keys themselves in PARVIS_MASTER_KEY."""
    told = env.get(f"{PREFIX}MASTER_KEY", "").strip()
    if told and env.get(f"{PREFIX}MASTER_KEY_FILE", "").strip():
        raise SettingError(
            f"{PREFIX}MASTER_KEY", "…", f"nothing while {PREFIX}MASTER_KEY_FILE is set: give one of them"
        )
    if told:
        expected = "32 random bytes in base64, or several such keys separated by commas"
        return read(env, "MASTER_KEY", expected, Vault.from_text, show=_hidden)
    expected = "the path of a readable file with 32 random bytes in base64, or several such keys, one a line"
    return read(env, "MASTER_KEY_FILE", expected, lambda value: Vault.from_file(Path(value)))


def _days(value: str) -> int:
    days = int(value)
    if not 0 <= days <= 3650:
        raise ValueError(value)
    return days


def workspace_url(site_url: str, suffix: str, address: str) -> str:
    """Where the workspace at `address` is: scheme and port of the site, then address and suffix."""
    parts = urlsplit(site_url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{address}{suffix}{port}"


@dataclass(frozen=True)
class ControlPlaneSettings:
    """What the control plane's processes need to know; addresses carry no trailing slash.

    `dns_resolvers` are asked for proofs of domains; without any, those of the machine.
    """

    database_url: str
    broker_url: str
    master_keys: Vault
    site_url: str
    portal_url: str
    workspace_suffix: str
    smtp_url: str
    mail_from: str
    cell_file: Path | None
    store_key_days: int
    trusted_edges: frozenset[str]
    log_level: str
    allow_private_fetch: bool = False
    dns_resolvers: tuple[tuple[str, int], ...] = ()
    staff_oidc: StaffOidc | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Read the environment; raises SettingError at the first wrong setting."""
        env = os.environ if env is None else env
        return cls(
            database_url=read(
                env,
                "DATABASE_URL",
                "an address such as postgresql://user:password@host:5432/parvis",
                url_of("postgresql"),
                show=without_password,
            ),
            broker_url=broker_url(env),
            master_keys=_master_keys(env),
            site_url=_site_url(env),
            portal_url=read(
                env,
                "PORTAL_URL",
                "an address such as https://portal.parvis.example, without a path",
                url_of("http", "https", path=False),
                default="http://portal.parvis.localhost:8080",
                show=without_password,
            ),
            workspace_suffix=_workspace_suffix(env),
            smtp_url=_smtp_url(env),
            mail_from=_mail_from(env),
            cell_file=read(
                env, "CELL_FILE", "a path", lambda value: Path(value) if value != "-" else None, default="-"
            ),
            store_key_days=read(
                env, "STORE_KEY_DAYS", "after how many days store keys are rotated, 0 for never", _days, default="90"
            ),
            trusted_edges=_trusted_edges(env),
            log_level=log_level(env),
            allow_private_fetch=_allow_private_fetch(env),
            dns_resolvers=_dns_resolvers(env),
            staff_oidc=StaffOidc.from_env(env),
        )

    def workspace_url(self, address: str) -> str:
        """Where the workspace at `address` is: scheme and port of the site, then address and suffix."""
        return workspace_url(self.site_url, self.workspace_suffix, address)

    def vault(self) -> Vault:
        """The vault of the master keys."""
        return self.master_keys


@dataclass(frozen=True)
class CellSettings:
    """What a tenant app's process needs to know: its cell's file, and the shape of addresses."""

    cell_file: Path
    site_url: str
    workspace_suffix: str
    trusted_edges: frozenset[str]
    log_level: str
    allow_private_fetch: bool = False

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Read the environment; raises SettingError at the first wrong setting."""
        env = os.environ if env is None else env
        return cls(
            cell_file=read(env, "CELL_FILE", "the path of a readable file that `parvis cell export` wrote", _readable),
            site_url=_site_url(env),
            workspace_suffix=_workspace_suffix(env),
            trusted_edges=_trusted_edges(env),
            log_level=log_level(env),
            allow_private_fetch=_allow_private_fetch(env),
        )

    def workspace_url(self, address: str) -> str:
        """Where the workspace at `address` is: scheme and port of the site, then address and suffix."""
        return workspace_url(self.site_url, self.workspace_suffix, address)


@dataclass(frozen=True)
class CellWorkerSettings:
    """What a cell's worker needs to know: what its tenant app knows, where mails go, when an object is an orphan."""

    cell: CellSettings
    smtp_url: str
    mail_from: str
    orphan_seconds: int = 86_400

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Read the environment; raises SettingError at the first wrong setting."""
        env = os.environ if env is None else env
        return cls(
            cell=CellSettings.from_env(env),
            smtp_url=_smtp_url(env),
            mail_from=_mail_from(env),
            orphan_seconds=read(
                env,
                "ORPHAN_SECONDS",
                "how old an object must be that no row knows, to be removed",
                int,
                default="86400",
            ),
        )


def _tokens(value: str) -> frozenset[str]:
    found = frozenset(Path(value).read_text().split())
    if not found or any(len(token) < SHORTEST_TOKEN for token in found):
        raise ValueError(value)
    return found


@dataclass(frozen=True)
class KeysSettings:
    """What the process that gives data keys to gateways needs to know. Each of `tokens` is good: one may be new."""

    cell: CellSettings
    tokens: frozenset[str] = field(repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Read the environment; raises SettingError at the first wrong setting."""
        env = os.environ if env is None else env
        tokens = read(
            env,
            "GATEWAY_TOKEN_FILE",
            f"a readable file with the gateways' tokens, one a line, each of {SHORTEST_TOKEN} characters or more",
            _tokens,
        )
        return cls(cell=CellSettings.from_env(env), tokens=tokens)
