import re

import pyotp
import pytest

from kit.credentials import (
    clear_cookie,
    cookie_name,
    credential_id_of,
    matching_step,
    new_secret,
    new_token,
    provisioning_uri,
    qr_svg,
    readable_secret,
    registration_options,
    require_secure,
    rp_id_of,
    session_cookie,
    token_hash,
    verify_registration,
)
from kit.errors import Refusal

NOW = 1_800_000_000.0
# Of a secret that is drawn anew, the codes of two steps would be the same one day.
DRAWN = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_a_code_works_once() -> None:
    secret = DRAWN
    code = pyotp.TOTP(secret).at(int(NOW))
    step = matching_step(secret, code, after=0, now=NOW)
    assert step == int(NOW) // 30
    assert matching_step(secret, code, after=step, now=NOW) is None
    # The control: without remembering the step, the same code works again.
    assert matching_step(secret, code, after=0, now=NOW) == step


def test_clocks_may_differ_by_one_step_and_no_more() -> None:
    secret = DRAWN
    totp = pyotp.TOTP(secret)
    accepted = [
        matching_step(secret, totp.at(int(NOW) + 30 * off), after=0, now=NOW) is not None for off in range(-3, 4)
    ]
    assert accepted == [False, False, True, True, True, False, False]


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "-12345", "0x1234"])
def test_what_is_no_code_is_no_code(code: str) -> None:
    assert matching_step(new_secret(), code, after=0) is None


def test_a_code_may_be_typed_in_groups() -> None:
    secret = new_secret()
    code = pyotp.TOTP(secret).at(int(NOW))
    assert matching_step(secret, f" {code[:3]} {code[3:]} ", after=0, now=NOW)


def test_the_qr_code_is_an_svg_without_inline_style_or_script() -> None:
    svg = qr_svg(provisioning_uri(new_secret(), account="ines@parvis.example", issuer="Parvis"))
    assert svg.startswith("<svg ")
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert size, "without a viewBox a smaller window cuts it"
    assert size[1] == size[2]
    assert not re.search(r"style|script|href", svg)
    assert readable_secret("ABCDEFGH") == "ABCD EFGH"


def test_a_token_is_long_and_only_its_hash_is_like_it() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) >= 43
    assert len(token_hash("x")) == 32


def test_over_https_the_cookie_is_bound_to_its_host() -> None:
    header = session_cookie("https", "portal", "secret").to_header(header="")
    assert header.startswith("__Host-portal=secret")
    for wanted in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert wanted in header
    assert "Domain" not in header


def test_on_this_machine_the_cookie_has_its_plain_name() -> None:
    assert cookie_name("http", "portal") == "portal"
    assert "Secure" not in session_cookie("http", "portal", "secret").to_header(header="")
    assert "Max-Age=0" in clear_cookie("http", "portal").to_header(header="")


@pytest.mark.parametrize(
    ("scheme", "host", "fine"),
    [
        ("https", "portal.parvis.example", True),
        ("http", "portal.parvis.localhost:8080", True),
        ("http", "localhost:8080", True),
        ("http", "127.0.0.1:8080", True),
        ("http", "portal.parvis.example", False),
        ("http", "localhost.evil.example", False),
    ],
)
def test_nobody_signs_in_over_an_open_line(scheme: str, host: str, fine: bool) -> None:
    if fine:
        require_secure(scheme, host)
        return
    with pytest.raises(Refusal, match="https"):
        require_secure(scheme, host)


def test_the_relying_party_is_the_exact_host_without_its_port() -> None:
    assert rp_id_of("portal.parvis.localhost:8080") == "portal.parvis.localhost"
    assert rp_id_of("acme.parvis.example") == "acme.parvis.example"
    ceremony = registration_options(
        rp_id="acme.parvis.example", rp_name="Parvis", user_id=b"1" * 16, user_name="a", display_name="A"
    )
    assert '"userVerification": "required"' in ceremony.options
    assert len(ceremony.challenge) >= 32


@pytest.mark.parametrize("answer", ["", "null", "[]", "{}", '{"response": {}}', "x" * 30_000, '{"response": []}'])
def test_a_passkey_answer_that_is_none_is_refused_not_an_accident(answer: str) -> None:
    with pytest.raises(Refusal, match="passkey"):
        verify_registration(answer, challenge=b"x" * 32, origin="http://a.localhost", rp_id="a.localhost")
    with pytest.raises(Refusal, match="passkey"):
        credential_id_of(answer)
