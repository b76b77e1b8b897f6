"""Secrets at rest: AES-256-GCM under master keys that are kept outside the database.

A vault holds one master key or several: the first one seals, all of them open. A sealed text names its key, so that one
can count what still hangs on an old one: `<id of the key>.<base64 of nonce and ciphertext>`. Texts from before keys had
names carry no id, and open under whichever key sealed them.
"""

import base64
import hashlib
import hmac
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kit.errors import Unavailable

NONCE = 12
KEY = 32


@dataclass(frozen=True)
class Vault:
    """Seals and opens small secrets. Keys are 32 bytes; a purpose binds a secret to its place.

    `master` seals; it and the `older` ones open, whatever their order.
    """

    master: bytes
    older: tuple[bytes, ...] = ()

    @classmethod
    def from_text(cls, text: str) -> "Vault":
        """Base64 keys of 32 bytes, one a line or separated by commas, the sealing one first; `#` begins a comment."""
        lines = [line.partition("#")[0].strip() for line in re.split(r"[\n,]", text)]
        keys = [base64.b64decode(line, validate=True) for line in lines if line]
        if not keys or any(len(key) != KEY for key in keys):
            raise ValueError(f"a master key is {KEY} bytes in base64, these have {[len(key) for key in keys]}")
        return cls(keys[0], tuple(dict.fromkeys(keys[1:])))

    @classmethod
    def from_file(cls, path: Path) -> "Vault":
        """The keys that a file holds, see `from_text`."""
        try:
            return cls.from_text(path.read_text())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def fresh(cls) -> "Vault":
        """A vault of one new random key."""
        return cls(os.urandom(KEY))

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Every key, the sealing one first."""
        return (self.master, *self.older)

    @property
    def key_id(self) -> str:
        """The name of the sealing key: 8 hexadecimal digits that tell nothing of it."""
        return key_id(self.master)

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose (HMAC-SHA256 of the purpose), from the sealing key.

        It changes when the master rotates. So it may only serve what lives shortly, and who checks it takes
        `derivations`; what must last is a random secret that is kept sealed.
        """
        return _derived(self.master, purpose)

    def derivations(self, purpose: str) -> tuple[bytes, ...]:
        """The same from every key, the sealing one's first: what was made before a rotation is still recognised."""
        return tuple(_derived(key, purpose) for key in self.keys)

    def seal(self, secret: str, purpose: str) -> str:
        """Encrypt `secret`; only the same purpose opens it."""
        return self._sealed(os.urandom(NONCE), secret, purpose)

    def seal_alike(self, secret: str, purpose: str) -> str:
        """Like `seal`, but the same secret for the same purpose gives the same text, so that drift can be seen."""
        digest = hmac.new(self.derive("seal-alike"), f"{purpose}\0{secret}".encode(), hashlib.sha256).digest()
        return self._sealed(digest[:NONCE], secret, purpose)

    def _sealed(self, nonce: bytes, secret: str, purpose: str) -> str:
        sealed = AESGCM(self.derive("seal")).encrypt(nonce, secret.encode(), purpose.encode())
        return f"{self.key_id}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, purpose: str) -> str:
        """Decrypt what `seal` gave for the same purpose, under whichever of the keys it was sealed."""
        named, body = key_id_of(sealed), sealed.rpartition(".")[2]
        for key in self.keys:
            if named in {None, key_id(key)}:
                try:
                    raw = base64.b64decode(body)
                    plain = AESGCM(_derived(key, "seal")).decrypt(raw[:NONCE], raw[NONCE:], purpose.encode())
                    return plain.decode()
                except (InvalidTag, ValueError):
                    continue
        raise Unavailable("vault_refused", f"no key here opens the secret for {purpose!r} (sealed by {named})")

    def __repr__(self) -> str:
        return "Vault(…)"


def key_id(key: bytes) -> str:
    """The name of a key."""
    return _derived(key, "key-id")[:4].hex()


def key_id_of(sealed: str) -> str | None:
    """The name of the key that sealed a text; None if it is from before keys had names."""
    named, dot, _ = sealed.rpartition(".")
    return named if dot else None


def _derived(key: bytes, purpose: str) -> bytes:
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()
