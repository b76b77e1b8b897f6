"""What a hostile, broken or confused provider does, and the refusal that each deserves. Name → (code, change)."""

import json
import secrets
import time
from typing import Any

from tests.openid.forging import THIEF, bent, by_secret, ec_signature, head, made, other_claims, payload, unsigned
from tests.openid.misbehaving import (
    DEEP,
    DISCOVERY_AT,
    HOUR,
    MIB,
    Cases,
    Change,
    body,
    cut,
    drip,
    endless_head,
    hang_up,
    huge,
    keys,
    nonsense,
    raw,
    said,
    silence,
    unsaid,
)
from tests.openid.op import ACCESS, CLIENT, CODE, EC, OTHER_RSA, RSA, SECRET, b64, half, public


def ways(place: str, document: str) -> Cases:
    """What any answer may be instead of what was asked for."""
    return {
        f"{place}: redirected": ("redirected", body(place, b"", 302, location="http://169.254.169.254/latest")),
        f"{place}: redirected for good": ("redirected", body(place, b"", 308, location="https://elsewhere.test/")),
        f"{place}: huge": ("too_large", raw(place, huge)),
        f"{place}: huge, as it says": ("too_large", raw(place, (200, {"content-length": str(9 * MIB)}, b""))),
        f"{place}: compressed": ("compressed", body(place, b"\x1f\x8b", content_encoding="gzip")),
        f"{place}: hung up": ("not_http", raw(place, hang_up)),
        f"{place}: no HTTP": ("not_http", raw(place, nonsense)),
        f"{place}: a head without end": ("not_http", raw(place, endless_head)),
        f"{place}: cut short": ("not_http", raw(place, cut)),
        f"{place}: no JSON": (document, body(place, b"<!doctype html><title>Sign in</title>")),
        f"{place}: no text": (document, body(place, b"\xff\xfe\x00")),
        f"{place}: a list": (document, body(place, b"[]")),
        f"{place}: nothing": (document, body(place, b"null")),
        f"{place}: too deep": (document, body(place, DEEP)),
    }


SLOW: Cases = {
    f"{place}: {name}": ("too_slow", raw(place, how))
    for place in (DISCOVERY_AT, "keys", "token")
    for name, how in (("silent", silence), ("drop by drop", drip))
}

DISCOVERY: Cases = {
    **ways(DISCOVERY_AT, "oidc_discovery_document"),
    "no discovery": ("status_unexpected", body(DISCOVERY_AT, b"", 404)),
    "discovery fails": ("status_unexpected", body(DISCOVERY_AT, b"", 500)),
    "discovery of nothing": ("status_unexpected", body(DISCOVERY_AT, b"", 204)),
    "another issuer": ("oidc_issuer_announced", said(issuer="https://accounts.big.test")),
    "an issuer with a slash more": (
        "oidc_issuer_announced",
        lambda scene: scene.discovery.update(issuer=scene.issuer + "/"),
    ),
    "an issuer in capitals": (
        "oidc_issuer_announced",
        lambda scene: scene.discovery.update(issuer=scene.issuer.upper()),
    ),
    "a template as issuer": ("oidc_issuer_announced", said(issuer="https://login.test/{tenantid}/v2.0")),
    "no issuer": ("oidc_issuer_announced", unsaid("issuer")),
    "a list as issuer": (
        "oidc_issuer_announced",
        lambda scene: scene.discovery.update(issuer=[scene.issuer]),
    ),
    "no authorisation address": ("oidc_endpoint", unsaid("authorization_endpoint")),
    "a script to go to": ("oidc_endpoint", said(authorization_endpoint="javascript:alert(1)")),
    "data to go to": ("oidc_endpoint", said(authorization_endpoint="data:text/html,hello")),
    "an address with a user": ("oidc_endpoint", said(authorization_endpoint="https://google.test@evil.test/")),
    "an address with a line break": (
        "oidc_endpoint",
        said(authorization_endpoint="https://a.test/\r\nset-cookie: a=b"),
    ),
    "a relative address": ("oidc_endpoint", said(token_endpoint="/token")),
    "a number as address": ("oidc_endpoint", said(token_endpoint=443)),
    "an address with a fragment": ("oidc_endpoint", said(token_endpoint="https://a.test/token#x")),
    "an endless address": ("oidc_endpoint", said(token_endpoint="https://a.test/" + "a" * 5000)),
    "no keys": ("oidc_endpoint", unsaid("jwks_uri")),
    "a file of keys": ("oidc_endpoint", said(jwks_uri="file:///etc/passwd")),
    "a script at the end": ("oidc_endpoint", said(end_session_endpoint="javascript:alert(1)")),
    "keys of the cloud's metadata": ("address_private", said(jwks_uri="http://169.254.169.254/latest/meta-data")),
    "tokens of the cloud's metadata": (
        "address_private",
        said(token_endpoint="http://[::ffff:169.254.169.254]/latest/api/token"),
    ),
    "no code flow": ("oidc_code_flow", said(response_types_supported=["id_token", "token"])),
    "no list of flows": ("oidc_discovery_document", said(response_types_supported="code")),
    "PKCE in clear only": ("oidc_pkce", said(code_challenge_methods_supported=["plain"])),
    "no PKCE at all": ("oidc_pkce", said(code_challenge_methods_supported=[])),
    "no sound algorithm": ("oidc_algorithms", said(id_token_signing_alg_values_supported=["none", "HS256"])),
    "another proof of the client": (
        "oidc_auth_method",
        said(token_endpoint_auth_methods_supported=["private_key_jwt", "tls_client_auth"]),
    ),
}
TINY = {"kty": "RSA", "kid": "one", "e": "AQAB", "n": b64(b"\xc1" * 128)}


KEYS: Cases = {
    **{
        name: (code, change)
        for name, (code, change) in ways("keys", "oidc_keys_document").items()
    },
    "keys gone": ("status_unexpected", body("keys", b"", 404)),
    "keys not in a list": ("oidc_keys_document", body("keys", b'{"keys": {"kty": "RSA"}}')),
    "no key at all": ("oidc_keys_none", keys()),
    "keys of no sense": ("oidc_keys_none", keys(1, "key", [], {}, {"kty": "RSA"}, {"kty": "RSA", "n": 1, "e": 2})),
    "a shared secret only": ("oidc_keys_none", keys({"kty": "oct", "k": b64(SECRET), "kid": "one"})),
    "a key for encryption only": ("oidc_keys_none", keys(public(RSA, "one", use="enc"))),
    "a key that may not verify": ("oidc_keys_none", keys(public(RSA, "one", key_ops=["encrypt"]))),
    "a thousand keys": ("oidc_keys_document", keys(*[public(RSA, f"k{n}") for n in range(1000)])),
    "a private key, published": ("oidc_keys_private", keys({**RSA.as_dict(private=True), "kid": "one"})),
    "a key of 1024 bits": ("oidc_key_weak", keys(TINY)),
    "a key of 65536 bits": ("oidc_key_weak", keys({**TINY, "n": b64(b"\xc1" * 8192)})),
    "a key with exponent 1": ("oidc_key_weak", keys({**public(RSA, "one"), "e": "AQ"})),
    "a key with an endless exponent": ("oidc_key_weak", keys({**public(RSA, "one"), "e": b64(b"\xff" * 256)})),
    "a point beside its curve": (
        "oidc_keys_none",
        keys({"kty": "EC", "crv": "P-256", "kid": "one", "x": b64(b"\1" * 32), "y": b64(b"\1" * 32)}),
    ),
    "a key for another algorithm": ("oidc_key_unknown", keys(public(RSA, "one", alg="RS512"))),
    "a key of another kind": ("oidc_key_unknown", keys(public(EC, "one"))),
    "a key that nobody knows": ("oidc_key_unknown", lambda scene: scene.header.update(kid="two")),
    "a path as key": ("oidc_key_unknown", lambda scene: scene.header.update(kid="../../../dev/null")),
    "a number as key": ("oidc_key_unnamed", lambda scene: scene.header.update(kid=1)),
    "no key named of two": (
        "oidc_key_unnamed",
        lambda scene: (scene.keys.append(public(OTHER_RSA, "two")), scene.header.pop("kid")),
    ),
    "another key under the name": ("oidc_signature", keys(public(OTHER_RSA, "one"))),
}  # fmt: skip


def answered(**values: Any) -> Change:
    return lambda scene: scene.answer.update(values)


ANSWER: Cases = {
    "no state": ("oidc_state", answered(state=None)),
    "an empty state": ("oidc_state", answered(state="")),
    "another state": ("oidc_state", answered(state=secrets.token_urlsafe(32))),
    "a state of odd letters": ("oidc_state", answered(state="état\u2028")),
    "an error for another state": ("oidc_state", answered(state="x", error="access_denied")),
    "mixed up with another provider": ("oidc_response_issuer", answered(iss="https://honest.test")),
    "an empty name of the provider": ("oidc_response_issuer", answered(iss="")),
    "an error of another provider": (
        "oidc_response_issuer",
        answered(iss="https://honest.test", error="access_denied"),
    ),
    "no name though promised": ("oidc_response_issuer_missing", answered(iss=None)),
    "denied": ("oidc_denied", answered(error="access_denied", error_description="not assigned")),
    "denied, with a code": ("oidc_denied", answered(error="access_denied")),
    "an error": ("oidc_answer_error", answered(error="server_error", code=None)),
    "an error to write into pages": ("oidc_answer_error", answered(error="<script>alert(1)</script>", code=None)),
    "an empty error": ("oidc_answer_error", answered(error=" ")),
    "login required": ("oidc_answer_error", answered(error="login_required", code=None)),
    "no code": ("oidc_code", answered(code=None)),
    "an empty code": ("oidc_code", answered(code="")),
    "an endless code": ("oidc_code", answered(code="c" * 5000)),
    "a code with a line break": ("oidc_code", answered(code="a\r\nb")),
}


def gave(**values: Any) -> Change:
    return lambda scene: scene.tokens.update(values)


def failed(error: Any, status: int = 400, **more: Any) -> Change:
    return body("token", json.dumps({"error": error, **more}).encode(), status)


TOKEN: Cases = {
    **ways("token", "oidc_token_answer"),
    "client unknown": ("oidc_client", failed("invalid_client", 401, error_description="AADSTS7000215: secret expired")),
    "client without right": ("oidc_client", failed("unauthorized_client")),
    "code refused": ("oidc_code_refused", failed("invalid_grant", error_description="PKCE verification failed")),
    "an error in the middle of success": ("oidc_token_refused", gave(error="temporarily_unavailable")),
    "a scope refused": ("oidc_token_refused", failed("invalid_scope")),
    "an error that is an object": ("oidc_token_refused", failed({"code": 190, "message": "no"})),
    "an error that is nothing": ("oidc_token_refused", failed(None)),
    "out of order": ("oidc_token_answer", body("token", b"Bad gateway", 502)),
    "good tokens with status 400": ("oidc_token_answer", lambda scene: setattr(scene, "token_status", 400)),
    "good tokens with status 500": ("oidc_token_answer", lambda scene: setattr(scene, "token_status", 500)),
    "no type": ("oidc_token_type", gave(token_type="(none)")),
    "another type": ("oidc_token_type", gave(token_type="mac")),
    "an object as type": ("oidc_token_type", gave(token_type={"a": 1})),
    "no access token": ("oidc_token_answer", gave(access_token="(none)")),
    "an empty access token": ("oidc_token_answer", gave(access_token="")),
    "a list of access tokens": ("oidc_token_answer", gave(access_token=[ACCESS])),
    "an access token with a line break": ("oidc_token_answer", gave(access_token="a\r\nhost: evil.test")),
    "ends never": ("oidc_token_answer", gave(expires_in="never")),
    "ends in a list": ("oidc_token_answer", gave(expires_in=[300])),
    "ends beyond all": ("oidc_token_answer", body("token", b'{"expires_in": 1e999, "access_token": "a"}')),
    "no ID token": ("oidc_id_token", gave(id_token="(none)")),
    "nothing as ID token": ("oidc_id_token", gave(id_token=None)),
    "an empty ID token": ("oidc_id_token", gave(id_token="")),
    "an object as ID token": ("oidc_id_token", gave(id_token={"sub": "alice"})),
}  # fmt: skip


FORM: Cases = {
    "unsigned": ("oidc_algorithm", made(unsigned, alg="none")),
    "unsigned, odd letters": ("oidc_algorithm", made(unsigned, alg="nOnE")),
    "unsigned, though RS256": ("oidc_signature", made(unsigned)),
    "no algorithm": ("oidc_algorithm", made(unsigned, alg=None)),
    "a number as algorithm": ("oidc_algorithm", made(unsigned, alg=256)),
    "a list of algorithms": ("oidc_algorithm", made(unsigned, alg=["RS256", "none"])),
    "signed with our secret": ("oidc_algorithm", made(by_secret(SECRET.encode()), alg="HS256")),
    "signed with the public key as secret": ("oidc_algorithm", made(by_secret(RSA.as_pem(private=False)), alg="HS256")),
    "an algorithm not announced": (
        "oidc_algorithm",
        lambda scene: (head(alg="ES256")(scene), keys(public(EC, "one"))(scene), setattr(scene, "key", EC)),
    ),
    "PSS though the key says RS256": (
        "oidc_key_unknown",
        lambda scene: (
            said(id_token_signing_alg_values_supported=["RS256", "PS256"])(scene),
            keys(public(RSA, "one", alg="RS256"))(scene),
            head(alg="PS256")(scene),
        ),
    ),
    "an extension demanded": ("oidc_critical", head(crit=["exp"])),
    "an empty list of extensions": ("oidc_critical", made(unsigned, crit=[])),
    "a payload not encoded": ("oidc_critical", made(unsigned, b64=False)),
    "an access token as ID token": ("oidc_kind", head(typ="at+jwt")),
    "a logout token as ID token": ("oidc_kind", head(typ="logout+jwt")),
    "a list as kind": ("oidc_kind", made(unsigned, typ=["JWT"])),
    "encrypted": ("oidc_encrypted", made(lambda *_: "e30.e30.e30.e30.e30")),
    "two parts": ("oidc_token_shape", made(bent(lambda parts: parts[:2]))),
    "four parts": ("oidc_token_shape", made(bent(lambda parts: [*parts, "x"]))),
    "no base64": ("oidc_token_shape", made(bent(lambda parts: ["{}", *parts[1:]]))),
    "a list as header": ("oidc_token_shape", made(bent(lambda parts: [b64("[]"), *parts[1:]]))),
    "a header too deep": ("oidc_token_shape", made(bent(lambda parts: [b64(b"[" * 20_000), *parts[1:]]))),
    "letters of another script": ("oidc_token_shape", made(bent(lambda parts: ["é" + parts[0], *parts[1:]]))),
    "an endless token": ("oidc_token_shape", lambda scene: scene.claims.update(more="a" * 200_000)),
    "a list as claims": ("oidc_token_shape", made(payload(b"[]"))),
    "no JSON as claims": ("oidc_token_shape", made(payload(b"sub=alice"))),
    "claims too deep": ("oidc_token_shape", made(payload(b'{"a":' * 10_000 + b"1" + b"}" * 10_000))),
    "another's key in the header": (
        "oidc_signature",
        lambda scene: (head(jwk=THIEF.as_dict(private=False))(scene), setattr(scene, "key", THIEF)),
    ),
    "another's keys by address": (
        "oidc_signature",
        lambda scene: (head(jku="https://thief.test/keys")(scene), setattr(scene, "key", THIEF)),
    ),
    "signed by a thief": ("oidc_signature", lambda scene: setattr(scene, "key", THIEF)),
    "signature away": ("oidc_signature", made(bent(lambda parts: [*parts[:2], ""]))),
    "signature of something else": ("oidc_signature", made(bent(other_claims))),
    "signature bent": ("oidc_signature", made(bent(lambda parts: [*parts[:2], "A" + parts[2][1:-2]]))),
    "a signature of zeros": ("oidc_signature", ec_signature(bytes(64))),
    "a signature too short": ("oidc_signature", ec_signature(b"\1" * 63)),
    "a signature in DER": ("oidc_signature", ec_signature(b"\x30\x06\x02\x01\x01\x02\x01\x01")),
}  # fmt: skip


def claims(**values: Any) -> Change:
    return lambda scene: scene.claims.update(values)


def drop(*names: str) -> Change:
    return lambda scene: setattr(scene, "drop", names)


def at(**seconds: float) -> Change:
    return lambda scene: scene.claims.update({name: int(time.time()) + value for name, value in seconds.items()})


def fresh(*changes: Change) -> Change:
    return lambda scene: (setattr(scene, "max_age", 0), [change(scene) for change in changes])


def with_half_a_letter(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """JSON can write what UTF-8 cannot."""
    return payload(json.dumps({**claims, "nonce": "\ud800"}).encode())(header, claims)


CLAIMS: Cases = {
    "of another issuer": ("oidc_issuer", claims(iss="https://honest.test")),
    "of an issuer with a slash more": ("oidc_issuer", lambda scene: scene.claims.update(iss=scene.issuer + "/")),
    "of no issuer": ("oidc_issuer", drop("iss")),
    "of a list of issuers": ("oidc_issuer", lambda scene: scene.claims.update(iss=[scene.issuer])),
    "nobody": ("oidc_subject", drop("sub")),
    "a number as person": ("oidc_subject", claims(sub=1)),
    "an empty person": ("oidc_subject", claims(sub="")),
    "an endless person": ("oidc_subject", claims(sub="a" * 256)),
    "a person cut by NUL": ("oidc_subject", claims(sub="alice\x00@evil")),
    "for another application": ("oidc_audience", claims(aud="another-app")),
    "for an application named almost so": ("oidc_audience", claims(aud=f"{CLIENT}-evil")),
    "for a part of us": ("oidc_audience", claims(aud=CLIENT[:4])),
    "for others": ("oidc_audience", claims(aud=["a", "b"])),
    "for nobody": ("oidc_audience", drop("aud")),
    "for an empty list": ("oidc_audience", claims(aud=[])),
    "for an object": ("oidc_audience", claims(aud={CLIENT: True})),
    "for several, issued to none": ("oidc_authorized_party", claims(aud=[CLIENT, "other"])),
    "for several, issued to another": ("oidc_authorized_party", claims(aud=[CLIENT, "other"], azp="other")),
    "issued to another": ("oidc_authorized_party", claims(azp="other")),
    "issued to a list": ("oidc_authorized_party", claims(azp=[CLIENT])),
    "without end": ("oidc_expiry", drop("exp")),
    "an end in words": ("oidc_expiry", claims(exp="2099-01-01")),
    "an end that is a flag": ("oidc_expiry", claims(exp=True)),
    "an end that is no number": ("oidc_expiry", claims(exp=float("nan"))),
    "an end beyond all": ("oidc_expiry", claims(exp=float("inf"))),
    "an end after the year 9999": ("oidc_expiry", claims(exp=10**18)),
    "an end before all": ("oidc_expiry", claims(exp=-(10**18))),
    "ended": ("oidc_expired", at(exp=-120, iat=-300)),
    "ended just outside our patience": ("oidc_expired", at(exp=-62, iat=-300)),
    "without beginning": ("oidc_issued", drop("iat")),
    "a beginning in words": ("oidc_issued", claims(iat="now")),
    "issued tomorrow": ("oidc_issued_in_future", at(iat=24 * HOUR, exp=25 * HOUR)),
    "issued by a clock ahead": ("oidc_issued_in_future", at(iat=90, exp=HOUR)),
    "not valid yet": ("oidc_not_yet_valid", at(nbf=HOUR, exp=2 * HOUR)),
    "valid from a word": ("oidc_not_yet_valid", claims(nbf="soon")),
    "no nonce": ("oidc_nonce", drop("nonce")),
    "another nonce": ("oidc_nonce", claims(nonce=secrets.token_urlsafe(24))),
    "an empty nonce": ("oidc_nonce", claims(nonce="")),
    "a list of nonces": ("oidc_nonce", claims(nonce=["a"])),
    "half a letter as nonce": ("oidc_nonce", made(with_half_a_letter)),
    "the hash of another access token": ("oidc_at_hash", claims(at_hash=half("another"))),
    "an empty hash": ("oidc_at_hash", claims(at_hash="")),
    "a number as hash": ("oidc_at_hash", claims(at_hash=1)),
    "the whole hash": ("oidc_at_hash", claims(at_hash=half(ACCESS) * 2)),
    "the hash of another code": ("oidc_c_hash", claims(c_hash=half(CODE + "x"))),
    "asked fresh, time unsaid": ("oidc_auth_time", fresh()),
    "asked fresh, an old sign-in": ("oidc_auth_time", fresh(at(auth_time=-HOUR))),
    "asked fresh, time in words": ("oidc_auth_time", fresh(claims(auth_time="just now"))),
    "asked fresh, a flag": ("oidc_auth_time", fresh(claims(auth_time=True))),
}


def told(content: bytes, status: int = 200, **headers: str) -> Change:
    return lambda scene: (setattr(scene, "drop", ("email",)), body("userinfo", content, status, **headers)(scene))


USERINFO: Cases = {
    "userinfo about another": (
        "oidc_userinfo_subject",
        lambda scene: (drop("email")(scene), scene.userinfo.update(sub="bob", email="bob@acme.test")),
    ),
    "userinfo about nobody": ("oidc_userinfo_subject", told(b'{"email": "alice@acme.test"}')),
    "userinfo about a list": ("oidc_userinfo_subject", told(b'{"sub": ["8f3c-alice"], "email": "a@acme.test"}')),
    "userinfo as a token": ("oidc_userinfo", told(b"e30.e30.e30", content_type="application/jwt")),
    "userinfo as a list": ("oidc_userinfo", told(b"[]")),
    "userinfo refused": ("status_unexpected", told(b"", 401)),
    "userinfo elsewhere": ("redirected", told(b"", 302, location="http://127.0.0.1/")),
}

HOSTILE: Cases = {**DISCOVERY, **KEYS, **ANSWER, **TOKEN, **FORM, **CLAIMS, **USERINFO}
