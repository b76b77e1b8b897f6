"""What every face shares on the wire: the frame around a request, problems, forged requests refused, health."""

from kit.web.csrf import Csrf
from kit.web.frame import Frame, client_ip, content_policy, host_of, request_id
from kit.web.health import health_routes
from kit.web.problems import ErrorPage, exception_handlers, problem, wants_page
from kit.web.session import provide_session

__all__ = [
    "Csrf",
    "ErrorPage",
    "Frame",
    "client_ip",
    "content_policy",
    "exception_handlers",
    "health_routes",
    "host_of",
    "problem",
    "provide_session",
    "request_id",
    "wants_page",
]
