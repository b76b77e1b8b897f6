"""What a handler may be asked with: a parameter that it does not know is refused by name."""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

from litestar import Request
from litestar.enums import ParamType
from litestar.handlers import BaseRouteHandler
from litestar.params import ParameterKwarg
from litestar.utils.helpers import unwrap_partial

from control_plane.operator_api.reading import CONTROL
from kit.errors import Refusal, Refusals

NOT_PARAMETERS = frozenset({"self", "request", "data", "state", "body", "scope", "headers"})


class Given:
    """One parameter of a query or a header: its name on the wire, its place, its hint and its default."""

    def __init__(self, name: str, hint: Any, default: Any, known: ParameterKwarg | None) -> None:
        self.place = known.param_type if known else ParamType.QUERY
        self.name: str = (known.name if known else None) or name
        self.hint = hint
        self.default = default
        self.known = known


def function_of(callable_: Any) -> Callable[..., Any]:
    """The function as it was written, inside what Litestar wraps around it."""
    inner: Callable[..., Any] = unwrap_partial(unwrap_partial(callable_))
    return inner


def parameters(fn: Callable[..., Any], providers: dict[str, Any], path: frozenset[str]) -> Iterator[Given]:
    """The parameters of a handler, those of what it is given included."""
    hints = get_type_hints(fn, include_extras=True)
    for name, one in inspect.signature(fn).parameters.items():
        if name in NOT_PARAMETERS or name in path:
            continue
        if name in providers:
            yield from parameters(providers[name], providers, path)
        else:
            hint = hints[name]
            known = next((m for m in getattr(hint, "__metadata__", ()) if isinstance(m, ParameterKwarg)), None)
            yield Given(name, hint, one.default, known)


@functools.cache
def query_names(handler: BaseRouteHandler) -> frozenset[str]:
    """The names that a handler's query may have."""
    providers = {name: function_of(provide.dependency) for name, provide in handler.resolve_dependencies().items()}
    return frozenset(
        one.name for one in parameters(function_of(handler.fn), providers, frozenset()) if one.place == ParamType.QUERY
    )


async def check_request(request: Request[Any, Any, Any]) -> None:
    """Refuse what could only be misread: unknown parameters, control characters, a missing or foreign body."""
    known = query_names(request.route_handler) - set(request.path_params)
    wrong = [_unknown(name, known) for name in request.query_params if name not in known]
    wrong += [_control(name) for name, value in request.query_params.multi_items() if CONTROL.search(value)]
    if wrong:
        raise Refusals(wrong)
    if any(isinstance(value, str) and CONTROL.search(value) for value in request.path_params.values()):
        raise Refusal("not_found", "This does not exist, or is kept for other people.", status=404)
    if "data" in request.route_handler.parsed_fn_signature.parameters:
        await _check_body(request)


async def _check_body(request: Request[Any, Any, Any]) -> None:
    if not await request.body():
        raise Refusal("body_missing", "Send a JSON object as the body.", status=400)
    kind = request.content_type[0]
    if kind != "application/json":
        raise Refusal("not_json", "Send the body as Content-Type: application/json.", status=415)


def _unknown(name: str, known: frozenset[str]) -> Refusal:
    field = CONTROL.sub("?", name)[:60]
    if not known:
        return Refusal("unknown_parameter", "This address takes no parameters.", field=field, status=400)
    return Refusal(
        "unknown_parameter",
        "This parameter does not exist here. Known: {known}.",
        field=field,
        status=400,
        known=", ".join(sorted(known)),
    )


def _control(name: str) -> Refusal:
    return Refusal("control_character", "Remove the control characters.", field=CONTROL.sub("?", name)[:60], status=400)
