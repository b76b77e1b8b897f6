"""One-time codes by time (RFC 6238): six digits, thirty seconds, each usable once."""

import hmac
import io
import re
import time

import pyotp
import segno

STEP = 30
CODE = re.compile(r"[0-9]{6}")


def new_secret() -> str:
    """A fresh secret of 160 bits, in base32."""
    return pyotp.random_base32()


def readable_secret(secret: str) -> str:
    """The secret in groups of four, for typing."""
    return " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))


def provisioning_uri(secret: str, *, account: str, issuer: str) -> str:
    """What an authenticator application reads from the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def qr_svg(text: str) -> str:
    """A QR code as an SVG element of about 170 pixels: dark on white in both themes, no inline style."""
    out = io.BytesIO()
    code = segno.make(text, error="m")
    code.save(
        out, kind="svg", xmldecl=False, svgns=True, nl=False, omitsize=True, border=3, dark="#000", light="#fff",
        svgclass="qr", lineclass=None,
    )  # fmt: skip
    # With a viewBox it scales as a whole: cut or squeezed, no camera reads it.
    return out.getvalue().decode().replace("<svg ", '<svg width="180" height="180" ', 1)


def matching_step(secret: str, code: str, *, after: int, now: float | None = None) -> int | None:
    """The time step that `code` belongs to, or None. Steps up to `after` have been used: a code never works twice.

    One step of clock difference either way is accepted. Store the answer as the next `after`.
    """
    digits = re.sub(r"\s", "", code)
    if not CODE.fullmatch(digits) or not digits.isascii():
        return None
    current = int(time.time() if now is None else now) // STEP
    totp = pyotp.TOTP(secret)
    found = None
    for step in (current - 1, current, current + 1):
        if hmac.compare_digest(totp.generate_otp(step), digits) and step > after:
            found = step
    return found
