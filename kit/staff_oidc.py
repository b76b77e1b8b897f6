"""How the provider's own staff sign in by the provider's identity provider: settings that go together, or none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from kit.reading import PREFIX, read, url_of, without_password, yes_or_no

GROUP = "STAFF_OIDC_"
ROLES = ("sales", "support", "operator", "auditor")
SCOPES = "openid email profile"
NAMES = ("ISSUER", "CLIENT_ID", "CLIENT_SECRET_FILE", "ROLES", "ROLE_CLAIM", "SCOPES", "ONLY", "MINUTES")
LEAST_MINUTES, MOST_MINUTES = 10, 720


def _secret(value: str) -> str:
    secret = Path(value).read_text().strip()
    if not secret or not secret.isprintable():
        raise ValueError(value)
    return secret


def _path_only(value: str) -> str:
    # No path at all: it may be the secret itself, pasted here.
    return value if "/" in value else "…"


def _roles(value: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for item in (part.strip() for part in value.split(",") if part.strip()):
        # A claim's value may hold an equals sign; a role holds none.
        claimed, _, role = (part.strip() for part in item.rpartition("="))
        if not claimed or role not in ROLES:
            raise ValueError(value)
        pairs.append((claimed, role))
    return tuple(pairs)


def _name(value: str) -> str:
    if not value.isprintable():
        raise ValueError(value)
    return value


def _minutes(value: str) -> int:
    minutes = int(value)
    if not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        raise ValueError(value)
    return minutes


def _issuer(env: Mapping[str, str]) -> Callable[[str], str]:
    """An issuer is taken as it stands: its last slash is a part of it."""
    plain = env.get(f"{PREFIX}ALLOW_PRIVATE_FETCH", "").strip().lower() in {"1", "yes"}
    return url_of("https", "http") if plain else url_of("https")


@dataclass(frozen=True)
class StaffOidc:
    """The provider's own OpenID Connect, for its staff.

    `roles` are pairs of a value of the claim `role_claim` and the role it gives; the first that fits counts. With
    `only`, passwords are refused, and passkeys remain for an emergency. `minutes` after the issuer has spoken for a
    session it is over, unless the issuer, which is asked again from half of them on, has spoken again.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    roles: tuple[tuple[str, str], ...] = ()
    role_claim: str = "groups"
    scopes: tuple[str, ...] = tuple(SCOPES.split())
    only: bool = False
    minutes: int = 60

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self | None:
        """What is set, or None where nothing of it is; raises SettingError where it is half set."""
        if not any(env.get(f"{PREFIX}{GROUP}{name}", "").strip() for name in NAMES):
            return None
        return cls(
            issuer=read(
                env,
                f"{GROUP}ISSUER",
                "the https address of an OpenID Connect issuer, exactly as it names itself",
                _issuer(env),
                show=without_password,
            ),
            client_id=read(env, f"{GROUP}CLIENT_ID", "the name of the portal's client at the issuer", _name),
            client_secret=read(
                env,
                f"{GROUP}CLIENT_SECRET_FILE",
                "the path of a readable file with the client's secret",
                _secret,
                show=_path_only,
            ),
            roles=read(
                env,
                f"{GROUP}ROLES",
                f"pairs such as parvis-operators=operator separated by commas, with the roles {', '.join(ROLES)}",
                _roles,
                default=",",
            ),
            role_claim=read(env, f"{GROUP}ROLE_CLAIM", "the name of a claim", _name, default="groups"),
            scopes=read(
                env, f"{GROUP}SCOPES", "scopes separated by spaces", lambda value: tuple(value.split()), default=SCOPES
            ),
            only=read(
                env, f"{GROUP}ONLY", "1 to refuse passwords of staff, 0 to take them too", yes_or_no, default="0"
            ),
            minutes=read(
                env,
                f"{GROUP}MINUTES",
                f"minutes, {LEAST_MINUTES} to {MOST_MINUTES}",
                _minutes,
                default="60",
            ),
        )
