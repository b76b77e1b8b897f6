"""Reading a body strictly: every wrong field is named at once, with its cure, before any rule is asked."""

import re
from typing import Any, get_args, get_type_hints

import msgspec
from litestar import Request

from control_plane.audit import Actor
from control_plane.identity import ApiToken
from kit.errors import Refusal, Refusals
from kit.interface import N_

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# msgspec's sentences → a stable code and words that name the cure.
SENTENCES: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), code, message)
    for pattern, code, message in (
        (r"missing required field", "missing", N_("This field is required.")),
        (r"Expected `str` of length >= 1\b", "too_short", N_("This cannot be empty.")),
        (r"Expected `str` of length >= (?P<least>\d+)", "too_short", N_("Write at least {least} characters.")),
        (r"Expected `str` of length <= (?P<most>\d+)", "too_long", N_("Write at most {most} characters.")),
        (r"Expected `array` of length >= (?P<least>\d+)", "too_few", N_("Give at least {least}.")),
        (r"Expected `array` of length <= (?P<most>\d+)", "too_many", N_("Give at most {most}.")),
        (r"Expected `\w+` >= (?P<least>[-\d.]+)", "too_small", N_("Give {least} or more.")),
        (r"Expected `\w+` <= (?P<most>[-\d.]+)", "too_large", N_("Give {most} or less.")),
        (
            r"matching regex (?P<pattern>.+?)(?: - at|$)",
            "wrong_form",
            N_("This does not have the expected form: {pattern}."),
        ),
        (r"Invalid enum value", "unknown_value", N_("This value is not one of those allowed; see the documentation.")),
        (r"Invalid (?:RFC3339 encoded date|date)\b", "wrong_date", N_("Write a date as in 2027-03-31.")),
        (
            r"Invalid RFC3339|timezone",
            "wrong_time",
            N_("Write a date, a time and an offset, as in 2027-03-01T00:00:00+01:00."),
        ),
        (r"Invalid UUID", "wrong_id", N_("Write an identifier as in 01890a5d-ac96-774b-bcce-b302099a8057.")),
        (r"Expected `str(?: \| null)?`", "wrong_type", N_("Write text, between quotation marks.")),
        (r"Expected `int(?: \| null)?`", "wrong_type", N_("Write a whole number, without quotation marks.")),
        (r"Expected `float(?: \| null)?`", "wrong_type", N_("Write a number, without quotation marks.")),
        (r"Expected `bool(?: \| null)?`", "wrong_type", N_("Write true or false, without quotation marks.")),
        (r"Expected `array(?: \| null)?`", "wrong_type", N_("Write a list, between square brackets.")),
        (r"Expected `object(?: \| null)?`", "wrong_type", N_("Write an object, between curly brackets.")),
        (r"out of range", "too_large", N_("This number is too large.")),
    )
)


class ApiRequest(Request[Any, ApiToken, Any]):
    """A request whose JSON body is checked against the handler's `data`, each wrong field at once."""

    actor: Actor

    async def json(self) -> Any:
        """The body as plain values, checked; Litestar then makes the struct."""
        field = self.route_handler.parsed_fn_signature.parameters.get("data")
        value = decoded(await self.body())
        wrong = [] if field is None else faults(value, field.annotation)
        if wrong:
            raise Refusals(wrong)
        return value


def decoded(body: bytes) -> Any:
    """JSON, or a refusal that says where it stops being JSON."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(
            "malformed_json", "The body is not JSON: {reason}.", status=400, reason=str(error).rstrip(".")
        ) from error


def faults(value: Any, kind: Any, path: str = "") -> list[Refusal]:
    """What is wrong with `value` as a `kind`: one refusal a field, with its path (`admin.email`)."""
    structs = structs_of(kind)
    if structs and isinstance(value, dict):
        return [fault for part in _parts(value, structs, path) for fault in part]
    if isinstance(value, str) and CONTROL.search(value):
        return [Refusal("control_character", "Remove the control characters.", field=path or None)]
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        return [explained(str(error), path)]
    return _inner_controls(value, path)


def _parts(value: dict[str, Any], structs: list[type[msgspec.Struct]], path: str) -> list[list[Refusal]]:
    tag = structs[0].__struct_config__.tag_field
    struct = structs[0] if tag is None else next((one for one in structs if value.get(tag) == _tag(one)), None)
    if struct is None:
        return [_untold(value, str(tag), path)]
    hints = get_type_hints(struct, include_extras=True)
    known = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    names = [*([tag] if tag else []), *known]
    strangers = [
        [
            Refusal(
                "unknown_field",
                "This field does not exist here. Known: {known}.",
                field=join(path, name),
                known=", ".join(names),
            )
        ]
        for name in value
        if name not in names
    ]
    missing = [
        [Refusal("missing", "This field is required.", field=join(path, name))]
        for name, field in known.items()
        if field.required and name not in value
    ]
    wrong = [faults(value[name], hints[field.name], join(path, name)) for name, field in known.items() if name in value]
    return strangers + missing + wrong


def _tag(struct: type[msgspec.Struct]) -> object:
    return struct.__struct_config__.tag


def _untold(value: dict[str, Any], tag: str, path: str) -> list[Refusal]:
    """Which of several shapes is meant must be told first."""
    if tag not in value:
        return [Refusal("missing", "This field is required.", field=join(path, tag))]
    message = "This value is not one of those allowed; see the documentation."
    return [Refusal("unknown_value", message, field=join(path, tag))]


def _inner_controls(value: Any, path: str) -> list[Refusal]:
    """Control characters deeper inside, where msgspec has no opinion."""
    if isinstance(value, str):
        return (
            [Refusal("control_character", "Remove the control characters.", field=path)]
            if CONTROL.search(value)
            else []
        )
    if isinstance(value, dict):
        pairs: list[tuple[object, Any]] = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        return []
    return [fault for key, inner in pairs for fault in _inner_controls(inner, join(path, key))]


def structs_of(kind: Any) -> list[type[msgspec.Struct]]:
    """The structs in `kind`, through Annotated and unions: several are told apart by their tag."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [one for inner in get_args(kind) if not isinstance(inner, msgspec.Meta) for one in structs_of(inner)]


def join(path: str, name: object) -> str:
    """`admin` and `email` → `admin.email`; what cannot be a name is cut short."""
    name = CONTROL.sub("?", str(name))[:60]
    return f"{path}.{name}" if path else name


def explained(sentence: str, path: str) -> Refusal:
    """A sentence of msgspec as a refusal with a stable code, our own words and the field's path."""
    where = re.search(r" - at `\$(?P<rest>.*?)`$", sentence)
    field = path
    for name in re.findall(r"[^.\[\]]+", where["rest"]) if where else []:
        field = join(field, name)
    for pattern, code, message in SENTENCES:
        found = pattern.search(sentence)
        if found:
            places: dict[str, Any] = found.groupdict()
            return Refusal(code, message, field=field or None, **places)
    return Refusal("wrong_value", "This value cannot be used here.", field=field or None)
