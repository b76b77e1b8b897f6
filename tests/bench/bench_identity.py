"""What a SAML response of a real SimpleSAMLphp costs to check: ours, python3-saml and pysaml2, by turns in one run.

Processor time of this process and of those it starts, for pysaml2 has a program check its signatures.
"""

import datetime as dt
import logging
import resource
import statistics
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

from saml2 import BINDING_HTTP_POST

from kit.saml import Redirect, ask, check_response, metadata_of, new_id, read_metadata
from tests.saml.browsing import Browser
from tests.saml.forge import Given
from tests.saml.oracles import pysaml2_client, python3_saml
from tests.saml.said import OURS, sp
from tests.world.simplesaml import Mode, SimpleSaml, missing, running_simplesaml

MODES: tuple[Mode, ...] = ("both", "assertion", "response", "encrypted")
ROUNDS, MANY, FEW = 5, 100, 4
GOAL_MS, GOAL_RATIO = 5, 10


def main() -> None:
    reason = missing()
    if reason:
        print(reason)
        return
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as name:
        folder = Path(name)
        with running_simplesaml(folder / "provider") as provider:
            provider.add_person("alice", "alicepass", mail="alice@acme.test", groups=["a", "b"])
            given = {mode: signed_in(provider, mode) for mode in MODES}
        for mode, response in given.items():
            measure(mode, response, folder)


def signed_in(provider: SimpleSaml, mode: Mode) -> Given:
    """A response as it arrives in this mode."""
    us, request_id = sp(), new_id()
    provider.trust(metadata_of(us), mode)
    idp = read_metadata(provider.metadata())
    asked = ask(us, idp, request_id=request_id, relay_state="", now=dt.datetime.now(dt.UTC))
    assert isinstance(asked, Redirect)
    with Browser(OURS) as browser:
        arrival = browser.sign_in(asked.url, username="alice", password="alicepass")
    assert arrival.form is not None
    return Given(arrival.form["SAMLResponse"], request_id, idp=idp, sp=us)


def measure(mode: Mode, given: Given, folder: Path) -> None:
    client = pysaml2_client(given, folder)
    outstanding = {given.request_id: "/"}

    def ours() -> None:
        now = dt.datetime.now(dt.UTC)
        encoded, asked = given.encoded, given.request_id
        check_response(given.sp, given.idp, encoded, request_id=asked, allow_unsolicited=False, now=now, trail=[])

    def by_pysaml2() -> None:
        client.parse_authn_request_response(given.encoded, BINDING_HTTP_POST, outstanding=dict(outstanding))

    work: dict[str, tuple[Callable[[], object], int]] = {
        "parvis": (ours, MANY),
        "python3-saml": (lambda: python3_saml(given), MANY // 5),
        "pysaml2": (by_pysaml2, FEW),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, (check, number) in work.items():
            times[name].append(spent(check, number))
    cost = {name: statistics.median(found) for name, found in times.items()}
    ratio = cost["pysaml2"] / cost["parvis"]
    told = ", ".join(f"{name} {ms:.2f} ms" for name, ms in cost.items())
    goals = f"goals: {GOAL_MS} ms, {GOAL_RATIO} times"
    print(f"SAML, {mode:<12}{told} of CPU; {ratio:.0f} times cheaper than pysaml2 ({goals})")


def spent(check: Callable[[], object], number: int) -> float:
    """Milliseconds of processor time for one, of ourselves and our children."""
    before = used()
    for _ in range(number):
        check()
    return (used() - before) * 1000 / number


def used() -> float:
    found = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in found)


if __name__ == "__main__":
    main()
