"""Secrets at rest: AES-256-GCM under a master key that is kept outside the database."""

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kit.errors import Unavailable

NONCE = 12


@dataclass(frozen=True)
class Vault:
    """Seals and opens small secrets. `master` is 32 bytes; a purpose binds a secret to its place."""

    master: bytes

    @classmethod
    def from_file(cls, path: Path) -> "Vault":
        """Read a base64 master key of 32 bytes."""
        key = base64.b64decode(path.read_text().strip())
        if len(key) != 32:
            msg = f"{path}: a master key is 32 bytes in base64, this one has {len(key)}"
            raise ValueError(msg)
        return cls(key)

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose (HMAC-SHA256 of the purpose)."""
        return hmac.new(self.master, purpose.encode(), hashlib.sha256).digest()

    def seal(self, secret: str, purpose: str) -> str:
        """Encrypt `secret`; only the same purpose opens it."""
        nonce = os.urandom(NONCE)
        sealed = AESGCM(self.derive("seal")).encrypt(nonce, secret.encode(), purpose.encode())
        return base64.b64encode(nonce + sealed).decode()

    def seal_alike(self, secret: str, purpose: str) -> str:
        """Like `seal`, but the same secret for the same purpose gives the same text, so that drift can be seen."""
        nonce = hmac.new(self.derive("seal-alike"), f"{purpose}\0{secret}".encode(), hashlib.sha256).digest()[:NONCE]
        sealed = AESGCM(self.derive("seal")).encrypt(nonce, secret.encode(), purpose.encode())
        return base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, purpose: str) -> str:
        """Decrypt what `seal` gave for the same purpose."""
        raw = base64.b64decode(sealed)
        try:
            return AESGCM(self.derive("seal")).decrypt(raw[:NONCE], raw[NONCE:], purpose.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise Unavailable("vault_refused", f"the master key does not open the secret for {purpose!r}") from error

    def __repr__(self) -> str:
        return "Vault(…)"
