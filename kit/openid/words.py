"""What each check says when it fails: which check, what came (`{seen}`), what was expected, and what to do."""

from kit.interface.i18n import N_

DISCOVERY = {
    "issuer_shape": N_(
        'Check of the issuer failed: "{seen}" came. '
        "Enter the provider's issuer alone: an https address without query, and without what follows /.well-known."
    ),
    "discovery_document": N_(
        "Check of the discovery document failed: {seen} came. Enter the issuer of an OpenID Connect provider."
    ),
    "issuer_announced": N_(
        'Check of the issuer failed: the provider calls itself "{seen}", the connection says "{wanted}". '
        "Enter the issuer exactly as your provider shows it, the last slash included."
    ),
    "endpoint": N_(
        'Check of the discovery document failed: its {wanted} is "{seen}". '
        "The provider must announce a complete https address there."
    ),
    "code_flow": N_(
        "Check of the discovery document failed: the response types are {seen}. The provider must offer {wanted}."
    ),
    "pkce": N_(
        "Check of the discovery document failed: the PKCE methods are {seen}. Turn on {wanted} at the provider."
    ),
    "algorithms": N_(
        "Check of the discovery document failed: ID tokens are signed with {seen}. "
        "Let the provider sign them with one of {wanted}."
    ),
    "auth_method": N_(
        "Check of the client's proof failed: the provider takes {seen}, the connection uses {wanted}. "
        "Choose one that the provider takes."
    ),
}

KEYS = {
    "keys_document": N_("Check of the provider's keys failed: {seen} came instead of a key set (JWKS)."),
    "keys_private": N_(
        'Check of the provider\'s keys failed: the key "{seen}" is published with its private half. '
        "Replace that key at the provider at once."
    ),
    "keys_none": N_(
        "Check of the provider's keys failed: none of its {seen} keys serves to check signatures. "
        "It must publish one for {wanted}."
    ),
    "key_unknown": N_(
        'Check of the signing key failed: the token names "{seen}", which the provider does not publish for {wanted}. '
        "If it has changed its keys just now, try again in a minute."
    ),
    "key_unnamed": N_(
        "Check of the signing key failed: the token names none, and the provider publishes {seen} that fit. "
        "Let the provider name the key (kid) in its tokens."
    ),
    "key_weak": N_(
        'Check of the signing key failed: the key "{seen}" is too weak or too large. '
        "Let the provider sign with {wanted}."
    ),
}

ANSWER = {
    "state": N_(
        "Check of the state failed: this answer does not belong to a sign-in that began in this browser. "
        "Start again from the sign-in page."
    ),
    "response_issuer": N_(
        'Check of the answer\'s issuer failed: the answer comes from "{seen}", the sign-in began at "{wanted}". '
        "Start again; if it happens again, somebody mixes two providers up."
    ),
    "response_issuer_missing": N_(
        "Check of the answer's issuer failed: it is missing, although the provider promises to send {wanted}. "
        "Start again; if it happens again, ask the provider's administrator."
    ),
    "denied": N_("The provider did not let you in: {seen}. Ask your administrator for access to this application."),
    "answer_error": N_(
        "The provider answered with an error: {seen}. Check the application's settings at the provider."
    ),
    "code": N_(
        "Check of the answer failed: the code is missing or unusual ({seen}). Start again from the sign-in page."
    ),
}

TOKENS = {
    "client": N_(
        "The provider does not know this application: {seen}. Check the client's id, its secret, and how it is sent."
    ),
    "code_refused": N_(
        "The provider refused the code: {seen}. Start again; if it happens again, compare the redirect address there "
        "with {wanted}."
    ),
    "token_refused": N_("The provider issued no token: {seen}. Check the application's settings at the provider."),
    "token_answer": N_("Check of the provider's answer failed: {seen} came instead of {wanted}."),
    "token_type": N_('Check of the token\'s type failed: "{seen}" came instead of {wanted}.'),
    "id_token": N_(
        "Check of the ID token failed: there is none ({seen}). "
        "Register the application for OpenID Connect, and allow it the scope {wanted}."
    ),
    "token_shape": N_("Check of the token failed: it is not a signed token ({seen})."),
    "encrypted": N_(
        "Check of the token failed: it is encrypted. Turn off the encryption of ID tokens at the provider."
    ),
    "algorithm": N_(
        "Check of the algorithm failed: the token is signed with {seen}. Let the provider sign with one of {wanted}."
    ),
    "critical": N_(
        'Check of the token failed: it demands extensions ("{seen}") that are not understood. Turn them off.'
    ),
    "kind": N_('Check of the token\'s kind failed: "{seen}" came where {wanted} was expected.'),
    "signature": N_(
        "Check of the signature failed: it was not made with the provider's key {seen}. "
        "If the provider is unchanged, somebody altered the token."
    ),
}

CLAIMS = {
    "issuer": N_('Check of the issuer failed: the token comes from "{seen}" instead of "{wanted}".'),
    "subject": N_(
        "Check of the subject failed: {seen} came. The provider must send a name of up to {wanted} characters in sub."
    ),
    "audience": N_(
        'Check of the audience failed: the token is meant for "{seen}", not for "{wanted}". '
        "Compare the client's id here and at the provider."
    ),
    "authorized_party": N_(
        'Check of the authorized party failed: the token was issued to "{seen}", not to "{wanted}". '
        "Use a client of its own for this application."
    ),
    "expiry": N_("Check of the time failed: the token's end is {seen}. The provider must send a time in exp."),
    "expired": N_("Check of the time failed: the token ended at {seen}, here it is {wanted}. Compare the clocks."),
    "issued": N_("Check of the time failed: the token's beginning is {seen}. The provider must send a time in iat."),
    "issued_in_future": N_(
        "Check of the time failed: the token was issued at {seen}, here it is {wanted}. Compare the clocks."
    ),
    "not_yet_valid": N_(
        "Check of the time failed: the token is valid from {seen}, here it is {wanted}. Compare the clocks."
    ),
    "nonce": N_(
        "Check of the nonce failed: {seen}. The token belongs to another sign-in; start again from the sign-in page."
    ),
    "auth_time": N_(
        "Check of the last sign-in failed: it was at {seen}, a fresh one after {wanted} was asked. "
        "Sign in again at the provider."
    ),
    "at_hash": N_("Check of the access token failed: it does not belong to the ID token (at_hash). Start again."),
    "c_hash": N_("Check of the code failed: it does not belong to the ID token (c_hash). Start again."),
    "userinfo": N_("Check of userinfo failed: {seen} came instead of {wanted}."),
    "userinfo_subject": N_(
        'Check of userinfo failed: it tells about "{seen}", the ID token about "{wanted}". Start again.'
    ),
}

LOGOUT = {
    "logout_events": N_("Check of the logout token failed: its events are {seen}. It must name {wanted}."),
    "logout_nonce": N_("Check of the logout token failed: it holds a nonce, as only ID tokens do."),
    "logout_id": N_("Check of the logout token failed: its id (jti) is {seen}. The provider must send one."),
    "logout_whom": N_("Check of the logout token failed: it names neither a session (sid) nor a person (sub)."),
    "logout_issuer": N_('Check of the logout failed: it comes from "{seen}" instead of "{wanted}".'),
    "logout_session": N_("Check of the logout failed: it names no session. Let the provider send iss and sid."),
}

WORDS = {**DISCOVERY, **KEYS, **ANSWER, **TOKENS, **CLAIMS, **LOGOUT}
