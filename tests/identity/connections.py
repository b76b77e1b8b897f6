"""Connections for tests: metadata, certificates, and a site that serves them."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from control_plane import identity
from control_plane.identity import ConnectionChange, ConnectionView, NewConnection
from kit.saml import Key
from tests.identity.organisations import ADA, Setting

METADATA = """<?xml version="1.0"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"
 entityID="{entity_id}"><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
{keys}<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{sso}"/>
</md:IDPSSODescriptor></md:EntityDescriptor>"""
KEY = """<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}
</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"""
SSO = "https://idp.acme.example/sso"


def certificate(*, lasts: timedelta = timedelta(days=365)) -> str:
    """A certificate in base64 that ends so long from now."""
    key = Key.new("idp", datetime.now(UTC) - timedelta(days=3650) + lasts)
    return base64.b64encode(key.certificate).decode()


def metadata(*certificates: str, entity_id: str = "https://idp.acme.example", sso: str = SSO) -> str:
    keys = "".join(KEY.format(certificate=one) for one in certificates)
    return METADATA.format(entity_id=entity_id, keys=keys, sso=sso)


@contextmanager
def website(pages: dict[str, tuple[str, str]], asked: Callable[[str], None] | None = None) -> Iterator[str]:
    """A site on loopback that serves these pages (type and text), which a test may change. `asked` hears of each."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked(self.path)
            kind, text = pages.get(self.path, ("text/plain", ""))
            body = text.replace("{base}", base).encode()
            self.send_response(200 if self.path in pages else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    base = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield base
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def discovery(**more: Any) -> dict[str, tuple[str, str]]:
    document = {
        "issuer": "{base}",
        "authorization_endpoint": "{base}/authorize",
        "token_endpoint": "{base}/token",
        "jwks_uri": "{base}/keys",
        "response_types_supported": ["code"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        **more,
    }
    return {"/.well-known/openid-configuration": ("application/json", json.dumps(document))}


def saml(acme: Setting, **more: Any) -> ConnectionView:
    given = {"metadata_xml": metadata(certificate())} if "settings" not in more else {}
    return acme.add(NewConnection(kind="saml", name="Entra ID", vendor="entra", **(given | more)))


def change(acme: Setting, view: ConnectionView, **fields: Any) -> ConnectionView:
    changed: ConnectionView = acme.with_settings(
        identity.change_connection, view.id, ConnectionChange(**fields), actor=ADA
    )
    return changed
