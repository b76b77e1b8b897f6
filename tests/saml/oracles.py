"""What two other libraries make of a response: python3-saml, and pysaml2 with the xmlsec1 program."""

import base64
import gc
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from saml2 import BINDING_HTTP_POST
from saml2.client import Saml2Client
from saml2.config import SPConfig

from tests.saml.forge import Given
from tests.saml.said import DS, P

MD = "urn:oasis:names:tc:SAML:2.0:metadata"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


def python3_saml(given: Given) -> str:
    """Whom it takes the response for; raises where it refuses."""
    certificates = [base64.b64encode(der).decode() for der in given.idp.certificates]
    key = given.sp.keys[-1]
    settings = {
        "strict": True,
        "sp": {
            "entityId": given.sp.entity_id,
            "assertionConsumerService": {"url": given.sp.acs_url, "binding": BINDING_HTTP_POST},
            "x509cert": base64.b64encode(key.certificate).decode(),
            "privateKey": pem("PRIVATE KEY", key.private_der),
        },
        "idp": {
            "entityId": given.idp.entity_id,
            "singleSignOnService": {"url": given.idp.sso_url, "binding": REDIRECT},
            "x509certMulti": {"signing": certificates, "encryption": certificates[:1]},
        },
        "security": {"wantAttributeStatement": False, "allowRepeatAttributeName": True},
    }
    request = {"https": "on", "http_host": "acme.parvis.test", "script_name": "/saml/7/acs", "post_data": {}}
    response = OneLogin_Saml2_Response(OneLogin_Saml2_Settings(settings), given.encoded)
    response.is_valid(request, request_id=given.request_id, raise_exceptions=True)
    return str(response.get_nameid())


def pysaml2(given: Given) -> str:
    """Whom it takes the response for; raises where it refuses."""
    with tempfile.TemporaryDirectory(prefix="parvis-oracle-") as name, warnings.catch_warnings():
        # It leaves its temporary files open.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return _by_pysaml2(given, Path(name))
        except Exception as error:  # noqa: BLE001 - its own errors hold on to what it left open
            said = f"{type(error).__name__}: {error}"
        finally:
            gc.collect()
    raise ValueError(said)


def _by_pysaml2(given: Given, folder: Path) -> str:
    client = pysaml2_client(given, folder)
    outstanding = {given.request_id: "/"} if given.request_id else {}
    response = client.parse_authn_request_response(given.encoded, BINDING_HTTP_POST, outstanding=outstanding)
    return str(response.name_id.text)


def pysaml2_client(given: Given, folder: Path) -> Any:
    """Its own view of the same provider and service, with keys in `folder`."""
    pairs = []
    for number, key in enumerate(given.sp.keys):
        files = folder / f"{number}.key", folder / f"{number}.crt"
        files[0].write_text(pem("PRIVATE KEY", key.private_der))
        files[1].write_text(pem("CERTIFICATE", key.certificate))
        pairs.append({"key_file": str(files[0]), "cert_file": str(files[1])})
    config = SPConfig()
    config.load(
        {
            "entityid": given.sp.entity_id,
            "xmlsec_binary": shutil.which("xmlsec1"),
            "metadata": {"inline": [metadata(given)]},
            "encryption_keypairs": pairs,
            **pairs[0],
            "accepted_time_diff": 60,
            "allow_unknown_attributes": True,
            "service": {
                "sp": {
                    "endpoints": {"assertion_consumer_service": [(given.sp.acs_url, BINDING_HTTP_POST)]},
                    "want_response_signed": False,
                    "want_assertions_signed": False,
                    "want_assertions_or_response_signed": True,
                    "allow_unsolicited": given.allow_unsolicited,
                }
            },
        }
    )
    return Saml2Client(config)


def pem(kind: str, der: bytes) -> str:
    return f"-----BEGIN {kind}-----\n{base64.encodebytes(der).decode()}-----END {kind}-----\n"


def metadata(given: Given) -> str:
    """The provider's metadata, written here."""
    keys = "".join(
        f'<KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data><ds:X509Certificate>'
        f"{base64.b64encode(der).decode()}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>"
        for der in given.idp.certificates
    )
    return (
        f'<EntityDescriptor xmlns="{MD}" entityID="{given.idp.entity_id}">'
        f'<IDPSSODescriptor protocolSupportEnumeration="{P}">{keys}'
        f'<SingleSignOnService Binding="{REDIRECT}" Location="{given.idp.sso_url}"/>'
        "</IDPSSODescriptor></EntityDescriptor>"
    )
