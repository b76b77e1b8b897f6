"""The control plane's own key for login tickets: derived from the vault, its public half told to every database."""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import OKPKey

from kit.vault import Vault
from tenant_app.contract import CellDatabase, KeyPair

PURPOSE = "login-ticket-1"


def ticket_key(vault: Vault) -> KeyPair:
    """The Ed25519 key that signs login tickets; the same as long as the master key is."""
    seed = vault.derive(PURPOSE)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    shown = {"kty": "OKP", "crv": "Ed25519", "x": _b64(public)}
    kid = OKPKey.import_key(dict(shown)).thumbprint()
    return KeyPair(kid=kid, private={**shown, "d": _b64(seed)}, public=shown)


def ensure_ticket_key(vault: Vault, database: CellDatabase) -> None:
    """The tenant app of this database accepts our tickets."""
    key = ticket_key(vault)
    database.ensure_signing_key(key.kid, dict(key.public))


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
