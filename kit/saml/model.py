"""Who talks to whom by SAML, and what they say: plain values, no XML."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

SsoBinding = Literal["redirect", "post"]
LASTS = dt.timedelta(days=3650)


@dataclass(frozen=True)
class Key:
    """A key of ours with its certificate (DER). Its text shows no secret."""

    certificate: bytes
    private: rsa.RSAPrivateKey = field(repr=False, compare=False)

    @classmethod
    def new(cls, common_name: str, now: dt.datetime | None = None) -> Self:
        """A new RSA key of 3072 bits and its own certificate for ten years."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=3072)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
        begins = (now or dt.datetime.now(dt.UTC)) - dt.timedelta(minutes=5)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + LASTS)
            .sign(private, hashes.SHA256())
        )
        return cls(certificate.public_bytes(serialization.Encoding.DER), private)

    @classmethod
    def from_der(cls, certificate: bytes, private: bytes) -> Self:
        """The key whose certificate and unencrypted PKCS#8 private key these are."""
        loaded = serialization.load_der_private_key(private, None)
        if not isinstance(loaded, rsa.RSAPrivateKey):
            raise TypeError(f"SAML keys are RSA keys, this one is {type(loaded).__name__}")
        return cls(certificate, loaded)

    @property
    def private_der(self) -> bytes:
        """The private key as unencrypted PKCS#8, to be sealed and stored."""
        return self.private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


@dataclass(frozen=True)
class IdentityProvider:
    """Whom a connection trusts. `certificates` (DER) are the only keys that count; several overlap during a change."""

    entity_id: str
    sso_url: str
    sso_binding: SsoBinding
    slo_url: str | None
    certificates: tuple[bytes, ...]
    slo_binding: SsoBinding = "redirect"
    # By its metadata: it refuses requests that are not signed.
    wants_signed_requests: bool = False


@dataclass(frozen=True)
class ServiceProvider:
    """Ourselves for one connection. The first key signs, all of them decrypt; `announced` (DER) ones come next."""

    entity_id: str
    acs_url: str
    slo_url: str
    keys: tuple[Key, ...]
    announced: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Redirect:
    """Send the browser to `url`."""

    url: str


@dataclass(frozen=True)
class Form:
    """Let the browser post `fields` to `url` by a form that sends itself."""

    url: str
    fields: dict[str, str]


@dataclass(frozen=True)
class Assertion:
    """What a provider said of a person, all of it from signed bytes. The caller refuses an `id` it has seen before."""

    id: str
    issuer: str
    subject: str
    subject_format: str | None
    attributes: dict[str, tuple[str, ...]]
    session_index: str | None
    not_on_or_after: dt.datetime
    authn_context: str | None
    session_not_on_or_after: dt.datetime | None = None
    # When the person last proved who he is: after the request, where that was made with `force`.
    authenticated_at: dt.datetime | None = None


@dataclass(frozen=True)
class LogoutRequest:
    """A provider ends its sessions of `subject`: those named, or all where none is."""

    id: str
    subject: str
    subject_format: str | None
    session_indexes: tuple[str, ...]
    relay_state: str
