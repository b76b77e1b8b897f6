"""OpenID Connect as a relying party: discovery, the code flow with PKCE, ID tokens, logout. Storage is the caller's."""

from kit.openid.client import Begun, Client, begin
from kit.openid.keys import Keys
from kit.openid.logout import LogoutToken, check_front_channel, check_logout_token, check_logout_token_now, end_session
from kit.openid.provider import Provider, Providers, discover, discover_now
from kit.openid.signing_in import Claims, finish, finish_now

__all__ = [
    "Begun",
    "Claims",
    "Client",
    "Keys",
    "LogoutToken",
    "Provider",
    "Providers",
    "begin",
    "check_front_channel",
    "check_logout_token",
    "check_logout_token_now",
    "discover",
    "discover_now",
    "end_session",
    "finish",
    "finish_now",
]
