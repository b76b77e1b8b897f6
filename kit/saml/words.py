"""What each check says when it fails: which check, what came, what to do. `{seen}` came, `{wanted}` should have."""

from kit.interface.i18n import N_

TRANSPORT = {
    "missing": N_("The sign-in failed: the identity provider's message is missing. Start again from the sign-in page."),
    "base64": N_(
        "Check of the encoding failed: the message is not base64. "
        "The identity provider must send the SAML message by the binding that our metadata names."
    ),
    "too_large": N_(
        "Check of the size failed: {seen} bytes came, at most {wanted} are read. "
        "Send fewer attributes or groups, for instance only the groups assigned to this application."
    ),
    "parts": N_(
        "Check of the size failed: the message has too many elements, attributes or namespaces. "
        "Send fewer attributes or groups, for instance only the groups assigned to this application."
    ),
    "encoding": N_("Check of the encoding failed: {seen} came. XML must be sent in UTF-8."),
    "doctype": N_(
        "Check of the document failed: it holds a document type or entities, which attackers use. "
        "Send plain XML without a DOCTYPE."
    ),
    "xml": N_("Check of the document failed: it is not well-formed XML ({seen}). Send it again, complete."),
    "comment": N_(
        "Check of the document failed: it holds {seen}. "
        "Comments and processing instructions can cut names short; send none."
    ),
    "root": N_(
        "Check of the message failed: {seen} came where {wanted} was expected. "
        "Enter our addresses again at the identity provider, as our metadata names them."
    ),
    "version": N_('Check of the version failed: "{seen}" came. Only SAML {wanted} is understood.'),
    "ids": N_(
        'Check of the identifiers failed: "{seen}" is missing, unusual or occurs twice. '
        "Each part of the message needs an ID of its own; if the provider is unchanged, somebody altered the message."
    ),
}

SIGNATURE = {
    "signature_missing": N_(
        "Check of the signature failed: neither the response nor the assertion is signed. "
        "Let the identity provider sign responses or assertions."
    ),
    "signature_required": N_(
        "Check of the signature failed: {seen} came without one. Let the identity provider sign its logout messages."
    ),
    "signature_place": N_(
        "Check of the signature failed: a signature stands in {seen}. "
        "It must stand directly in the part it signs; if the provider is unchanged, somebody altered the message."
    ),
    "signature_shape": N_(
        "Check of the signature failed: its form is unusual ({seen}, where {wanted} was expected). "
        "Use the plain enveloped signature that every identity provider offers."
    ),
    "signature_transform": N_(
        'Check of the signature failed: the transform "{seen}" is not allowed. '
        "Only the enveloped signature and exclusive canonicalisation without comments are."
    ),
    "signature_algorithm": N_(
        'Check of the signature failed: the algorithm "{seen}" is not allowed. '
        "Choose RSA or ECDSA with SHA-256 at the identity provider."
    ),
    "signature_reference": N_(
        'Check of the signature failed: it covers "{seen}" instead of the part it stands in, "{wanted}". '
        "If the provider is unchanged, somebody altered the message."
    ),
    "signature_key": N_(
        "Check of the signature failed: it was not made with a certificate of this connection. "
        "The message names {seen}, the connection trusts {wanted}. "
        "If the provider has a new certificate, import its metadata again."
    ),
    "signature_content": N_(
        "Check of the signature failed: what it covers was changed after signing. "
        "If it happens again, look for something between the provider and the browser that rewrites pages."
    ),
    "certificate_expired": N_(
        "Check of the certificate failed: it was valid until {seen}. "
        "Renew it at the identity provider, then import its metadata again."
    ),
    "certificate_not_yet": N_(
        "Check of the certificate failed: it is valid from {seen} only. "
        "Check the clock of the identity provider, or add the certificate that it uses today."
    ),
    "certificate_unreadable": N_(
        "Check of the certificate failed: it cannot be read. "
        "Copy the whole signing certificate, in PEM or base64, from the identity provider."
    ),
    "certificate_weak": N_(
        "Check of the certificate failed: its key is {seen}, which is too weak or unknown here. "
        "Use RSA of at least {wanted} bits, or an elliptic curve of 256 bits or more."
    ),
    "no_certificate": N_(
        "Check of the certificate failed: there is none for signing. "
        "Take the metadata of the identity provider itself, or add its signing certificate."
    ),
    "certificates_many": N_(
        "Check of the certificates failed: there are {seen}, at most {wanted} may overlap. Remove those no longer used."
    ),
}

ENCRYPTION = {
    "encryption_unsigned": N_(
        "Check of the encryption failed: the encrypted assertion came in an unsigned response. "
        "Let the identity provider sign the response as well, or send the assertion without encryption."
    ),
    "encryption_shape": N_(
        "Check of the encryption failed: its form is unusual ({seen}). "
        "Use the plain encryption that identity providers offer, with the key beside the data."
    ),
    "encryption_algorithm": N_(
        'Check of the encryption failed: "{seen}" is not allowed. '
        "Choose AES-GCM or AES-CBC, with the key by RSA-OAEP, at the identity provider."
    ),
    "decryption": N_(
        "Check of the encryption failed: none of our keys opens it. "
        "Import our current metadata at the identity provider, which may still use an old certificate of ours."
    ),
    "encryption_partial": N_(
        "Check of the encryption failed: {seen} is encrypted on its own. Encrypt the whole assertion, or nothing."
    ),
}

CONTENT = {
    "status": N_(
        "The identity provider refused the sign-in: {seen}. "
        "Ask its administrator whether this person may use this application."
    ),
    "assertions": N_(
        "Check of the assertion failed: there are {seen}, exactly one is expected, directly in the response. "
        "If the provider is unchanged, somebody altered the message."
    ),
    "issuer": N_(
        'Check of the issuer failed: "{seen}" came, this connection trusts "{wanted}". '
        "Correct the entity ID of the identity provider in the connection."
    ),
    "destination": N_(
        'Check of the destination failed: the message is for "{seen}", this address is "{wanted}". '
        "Correct our address at the identity provider."
    ),
    "in_response_to": N_(
        "Check of the request failed: this answers another sign-in than the one begun in this browser. "
        "Start again from the sign-in page, in one window."
    ),
    "unsolicited": N_(
        "Check of the request failed: nobody began this sign-in here. "
        "Start from our sign-in page, or let the connection allow sign-ins that begin at the identity provider."
    ),
    "issue_instant": N_(
        "Check of the time failed: the message was issued at {seen}, and here it is {wanted}. "
        "Set the clock of the identity provider by a time server, then start again."
    ),
    "time": N_('Check of the time failed: "{seen}" is no time in UTC like {wanted}.'),
    "audience": N_(
        'Check of the audience failed: the assertion is for "{seen}", we are "{wanted}". '
        "Enter this as audience or entity ID of the service at the identity provider."
    ),
    "conditions": N_(
        'Check of the conditions failed: "{seen}" is not understood, or occurs twice. Leave it out at the provider.'
    ),
    "not_yet": N_(
        "Check of the time failed: valid from {seen} only, and here it is {wanted}. "
        "Set the clock of the identity provider by a time server."
    ),
    "expired": N_(
        "Check of the time failed: valid until {seen}, and here it is {wanted}. "
        "Start again; if it goes on, set the clock of the identity provider by a time server."
    ),
    "subject": N_(
        "Check of the subject failed: {seen} came instead of exactly one NameID with a value. "
        "Let the identity provider send a lasting NameID for each person."
    ),
    "transient": N_(
        "Check of the subject failed: the NameID changes at each sign-in (transient), so nobody can be recognised. "
        "Choose a persistent NameID, or the e-mail address, at the identity provider."
    ),
    "confirmation": N_(
        'Check of the subject failed: the confirmation is "{seen}". It must be by bearer, with an end of validity.'
    ),
    "recipient": N_(
        'Check of the recipient failed: the assertion is for "{seen}", this address is "{wanted}". '
        "Correct our address (ACS) at the identity provider."
    ),
    "authentication": N_(
        "Check of the authentication failed: the assertion says nothing of how the person signed in. "
        "Let the identity provider send an AuthnStatement."
    ),
    "session_ended": N_(
        "Check of the session failed: at the identity provider it ended at {seen}, and here it is {wanted}. "
        "Start again."
    ),
    "attributes": N_(
        "Check of the attributes failed: one has no name. Give each attribute a name at the identity provider."
    ),
}

METADATA = {
    "metadata_html": N_(
        "This is a web page, not SAML metadata. Copy the address of the metadata itself, or upload the XML file."
    ),
    "metadata_of_sp": N_(
        "This is the metadata of a service, not of an identity provider. "
        "Export the metadata of the identity provider; ours goes the other way."
    ),
    "metadata_kind": N_(
        "This is not SAML metadata: {seen} came where {wanted} was expected. Export the provider's metadata as XML."
    ),
    "metadata_many": N_(
        "This metadata describes {seen} identity providers. Take the metadata of the one that is to be connected."
    ),
    "metadata_protocol": N_(
        "This identity provider does not speak SAML 2.0 by its metadata. Switch SAML 2.0 on there."
    ),
    "metadata_expired": N_("This metadata was valid until {seen}. Export it again from the identity provider."),
    "entity_id": N_("The metadata names no entity ID of usual length. Export it again from the identity provider."),
    "no_sso_address": N_(
        "The metadata names no sign-in address by HTTP-Redirect or HTTP-POST. "
        "Switch one of them on at the identity provider."
    ),
    "address": N_('The address "{seen}" cannot be used. It must begin with https://.'),
}

LOGOUT = {
    "query": N_(
        'Check of the message failed: "{seen}" is missing or occurs twice in the address. '
        "Start the logout again at the identity provider."
    ),
    "logout_in_response_to": N_(
        "Check of the request failed: this answers another logout than the one begun in this browser. Sign out again."
    ),
}

WORDS = {**TRANSPORT, **SIGNATURE, **ENCRYPTION, **CONTENT, **METADATA, **LOGOUT}
