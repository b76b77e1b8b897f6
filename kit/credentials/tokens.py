"""Session tokens and their cookie: 256 random bits in the browser, a hash of them in the database."""

import hashlib
import secrets

from litestar.datastructures import Cookie

from kit.errors import Refusal

BYTES = 32


def new_token() -> str:
    """A fresh token for a cookie."""
    return secrets.token_urlsafe(BYTES)


def token_hash(token: str) -> bytes:
    """What is stored. The token has 256 bits of its own, so a plain SHA-256 is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def cookie_name(scheme: str, name: str) -> str:
    """`__Host-` binds a cookie to this very host and to https; over http (a local machine) its plain name serves."""
    return f"__Host-{name}" if scheme == "https" else name


def session_cookie(scheme: str, name: str, token: str, *, max_age: int | None = None) -> Cookie:
    """The cookie that carries a session: no script reads it, no other site's form sends it."""
    return Cookie(
        key=cookie_name(scheme, name),
        value=token,
        path="/",
        httponly=True,
        samesite="lax",
        secure=scheme == "https",
        max_age=max_age,
    )


def clear_cookie(scheme: str, name: str) -> Cookie:
    """The same cookie, gone."""
    return session_cookie(scheme, name, "", max_age=0)


def require_secure(scheme: str, host: str) -> None:
    """Refuse to sign anybody in over plain http, save on this very machine."""
    bare = host.rpartition(":")[0] if ":" in host else host
    if scheme != "https" and not (bare == "localhost" or bare.endswith(".localhost") or bare == "127.0.0.1"):
        raise Refusal("https_needed", "Sign-in needs https: this address is not protected.", status=403)
