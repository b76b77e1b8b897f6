"""Signature wrapping (XSW): a good signature over one thing, while another is read. After "On Breaking SAML", 2012."""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests.saml.hostile import (
    MODES,
    Hostile,
    assertion_of,
    build,
    element,
    evil,
    hostile,
    signature_of,
    unsigned,
)
from tests.saml.said import DS, MALLORY, NS, A, P

REFUSED = "signature_shape signature_reference signature_place signature_content signature_key assertions ids"


def cases() -> Iterator[Hostile]:
    for mode in MODES:
        for number, wrap in enumerate(WRAPS, start=1):
            for same in (False, True):
                name = f"XSW {number}, {mode} signed, {'the same id' if same else 'an id of its own'}"
                yield hostile("wrapping", name, REFUSED + " signature_missing", partial(wrapped, wrap, mode, same))
        for moved, what in MOVES:
            yield hostile("wrapping", f"{what}, {mode} signed", REFUSED, partial(changed, moved, mode))
        for where, what in DOUBLES:
            yield hostile("duplicate ids", f"{what}, {mode} signed", "ids", partial(changed, where, mode))
        for tamper, what in TAMPERS:
            yield hostile("tampered", f"{what}, {mode} signed", "signature_content", partial(changed, tamper, mode))
        yield hostile("stripped", f"no signature any more, {mode} was signed", "signature_missing", partial(bare, mode))
        yield hostile("stripped", f"only its value is gone, {mode} signed", "signature_key", partial(emptied, mode))


def wrapped(wrap: Callable[[Any, str | None], Any], mode: str, same: bool) -> Any:
    root = build(signed=mode)
    return wrap(root, None if same else "_evil")


def changed(change: Callable[[Any], Any], mode: str) -> Any:
    root = build(signed=mode)
    made = change(root)
    return root if made is None else made


def bare(mode: str) -> Any:
    root = unsigned(build(signed=mode))
    assertion = unsigned(assertion_of(root))
    assertion.find("a:Subject/a:NameID", NS).text = MALLORY
    return root


def emptied(mode: str) -> Any:
    root = build(signed=mode)
    for value in root.iter(f"{{{DS}}}SignatureValue"):
        value.text = ""
    return root


def _evil_response(root: Any, identifier: str | None) -> tuple[Any, Any]:
    """A response that says somebody else, holding the good signature; and the good one without it."""
    made = copy.deepcopy(root)
    if identifier is not None:
        made.set("ID", identifier)
    assertion_of(made).find("a:Subject/a:NameID", NS).text = MALLORY
    return made, unsigned(copy.deepcopy(root))


def xsw1(root: Any, identifier: str | None) -> Any:
    if signature_of(root) is None:
        return _into_signature(root, identifier)
    made, good = _evil_response(root, identifier)
    signature_of(made).append(good)
    return made


def _into_signature(root: Any, identifier: str | None) -> Any:
    assertion = assertion_of(root)
    made, good = evil(assertion, identifier), unsigned(copy.deepcopy(assertion))
    signature_of(made).append(good)
    root.replace(assertion, made)
    return root


def xsw2(root: Any, identifier: str | None) -> Any:
    if signature_of(root) is None:
        return _beside_signature(root, identifier)
    made, good = _evil_response(root, identifier)
    made.insert(1, good)
    return made


def _beside_signature(root: Any, identifier: str | None) -> Any:
    assertion = assertion_of(root)
    made, good = evil(assertion, identifier), unsigned(copy.deepcopy(assertion))
    made.insert(1, good)
    root.replace(assertion, made)
    return root


def xsw3(root: Any, identifier: str | None) -> Any:
    assertion = assertion_of(root)
    root.insert(list(root).index(assertion), unsigned(evil(assertion, identifier)))
    return root


def xsw4(root: Any, identifier: str | None) -> Any:
    assertion = assertion_of(root)
    made = unsigned(evil(assertion, identifier))
    root.replace(assertion, made)
    made.append(assertion)
    return root


def xsw5(root: Any, identifier: str | None) -> Any:
    assertion = assertion_of(root)
    root.replace(assertion, evil(assertion, identifier))
    root.append(unsigned(copy.deepcopy(assertion)))
    return root


def xsw6(root: Any, identifier: str | None) -> Any:
    assertion = assertion_of(root)
    made = evil(assertion, identifier)
    holder = signature_of(made)
    (made if holder is None else holder).append(unsigned(copy.deepcopy(assertion)))
    root.replace(assertion, made)
    return root


def xsw7(root: Any, identifier: str | None) -> Any:
    assertion = assertion_of(root)
    root.insert(1, element(P, "Extensions", unsigned(evil(assertion, identifier))))
    return root


def xsw8(root: Any, identifier: str | None) -> Any:
    assertion = assertion_of(root)
    made = evil(assertion, identifier)
    holder = signature_of(made)
    (made if holder is None else holder).append(element(DS, "Object", unsigned(copy.deepcopy(assertion))))
    root.replace(assertion, made)
    return root


WRAPS = (xsw1, xsw2, xsw3, xsw4, xsw5, xsw6, xsw7, xsw8)


def _after(root: Any) -> None:
    root.append(unsigned(evil(assertion_of(root))))


def _signed_into_extensions(root: Any) -> None:
    assertion = assertion_of(root)
    root.replace(assertion, unsigned(evil(assertion)))
    root.insert(1, element(P, "Extensions", assertion))


def _signed_into_status(root: Any) -> None:
    assertion = assertion_of(root)
    root.replace(assertion, unsigned(evil(assertion)))
    root.find("p:Status", NS).append(element(P, "StatusDetail", assertion))


def _signed_into_advice(root: Any) -> None:
    assertion = assertion_of(root)
    made = unsigned(evil(assertion))
    root.replace(assertion, made)
    made.append(element(A, "Advice", assertion))


def _signed_into_value(root: Any) -> None:
    assertion = assertion_of(root)
    made = unsigned(evil(assertion))
    root.replace(assertion, made)
    made.find("a:AttributeStatement/a:Attribute/a:AttributeValue", NS).append(assertion)


def _both_twice(root: Any) -> None:
    root.append(evil(assertion_of(root)))


def _whole_in_whole(root: Any) -> Any:
    made = copy.deepcopy(root)
    made.set("ID", "_outer")
    unsigned(made)
    unsigned(assertion_of(made)).find("a:Subject/a:NameID", NS).text = MALLORY
    made.append(element(P, "Extensions", root))
    return made


MOVES = (
    (_after, "another assertion after the signed one"),
    (_signed_into_extensions, "the signed assertion moved into Extensions"),
    (_signed_into_status, "the signed assertion moved into StatusDetail"),
    (_signed_into_advice, "the signed assertion moved into Advice"),
    (_signed_into_value, "the signed assertion moved into an attribute's value"),
    (_both_twice, "two assertions with the same signature"),
    (_whole_in_whole, "the whole response within another"),
)


def _double_before(root: Any) -> None:
    assertion = assertion_of(root)
    root.insert(list(root).index(assertion), unsigned(evil(assertion, None)))


def _double_on_status(root: Any) -> None:
    root.find("p:Status", NS).set("ID", assertion_of(root).get("ID"))


def _double_by_other_name(root: Any) -> None:
    root.find("p:Status", NS).set("Id", assertion_of(root).get("ID"))


def _double_by_xml_id(root: Any) -> None:
    root.find("p:Status", NS).set("{http://www.w3.org/XML/1998/namespace}id", root.get("ID"))


def _assertion_named_as_response(root: Any) -> None:
    assertion_of(root).set("ID", root.get("ID"))


DOUBLES = (
    (_double_before, "another assertion with the id of the signed one"),
    (_double_on_status, "the status has the assertion's id"),
    (_double_by_other_name, "the status has it by the name Id"),
    (_double_by_xml_id, "the status has the response's by xml:id"),
    (_assertion_named_as_response, "the assertion has the response's"),
)


def _set(path: str, value: str) -> Callable[[Any], None]:
    return lambda root: setattr(assertion_of(root).find(path, NS), "text", value)


def _recipient(root: Any) -> None:
    assertion_of(root).find("a:Subject/a:SubjectConfirmation/a:SubjectConfirmationData", NS).set(
        "Recipient", "https://x/"
    )


def _until(root: Any) -> None:
    assertion_of(root).find("a:Conditions", NS).set("NotOnOrAfter", "2099-01-01T00:00:00Z")


def _group(root: Any) -> None:
    values = assertion_of(root).find("a:AttributeStatement", NS)
    values.append(copy.deepcopy(values[0]))


TAMPERS = (
    (_set("a:Subject/a:NameID", MALLORY), "another NameID"),
    (_set("a:Conditions/a:AudienceRestriction/a:Audience", "https://x/"), "another audience"),
    (_set("a:AttributeStatement/a:Attribute/a:AttributeValue", "mallory@acme.test"), "another e-mail"),
    (_recipient, "another recipient"),
    (_until, "valid for longer"),
    (_group, "one more attribute"),
)
