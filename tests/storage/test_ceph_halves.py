"""What a gateway leaves that is killed in the middle of a write of its own. Each half is made by hand, then mended."""

import itertools
import subprocess
from collections.abc import Iterator

import pytest

from tests.storage.stands import CephStand, Org, ceph_stand, new_key, settle
from tests.world.ceph import GATEWAY, RunningCeph, wait_until

UNCHANGED = [False, False, False]
# How to lose what, behind the gateways' backs: a namespace of their metadata, and a command.
LOSSES = {
    "key": ("users.keys", "rm {key}"),
    "link": ("users.uid", "rmomapkey {name}.buckets {name}"),
    "bucket": ("root", "rm {name}"),
}
# As a removal leaves an account whose gateway was killed.
STATES = {"open": "read, write, delete", "broken off": "read, delete"}
Halves = dict[tuple[str, str], Org]


@pytest.fixture(scope="module")
def halved(broken_ceph: RunningCeph) -> Iterator[CephStand]:
    with ceph_stand(broken_ceph.endpoint, broken_ceph.admin_key_id, broken_ceph.admin_secret) as stand:
        yield stand


@pytest.fixture(scope="module")
def halves(broken_ceph: RunningCeph, halved: CephStand) -> Halves:
    """An organisation for each thing that may be lost, and for each state in which it then is mended or removed."""
    made = {case: Org(keys=[new_key(), new_key()]) for case in itertools.product(LOSSES, ["mended", *STATES])}
    settings = str(broken_ceph.cluster.folder / "ceph.conf")
    for (lost, state), org in made.items():
        settle(halved.store, org)
        halved.put(org)
        halved.done("POST", "user", uid=org.name, op_mask=STATES.get(state, STATES["open"]))
        namespace, command = LOSSES[lost]
        words = command.format(key=org.key.key_id, name=org.name).split()
        called = ["rados", "-c", settings, "-n", "client.admin", "-p", "default.rgw.meta", "-N", namespace, *words]
        subprocess.run(called, check=True, capture_output=True, timeout=180)
    # The gateway remembers what was there; a new one looks. It writes once Ceph has given the old one up.
    broken_ceph.restart(GATEWAY)
    wait_until(lambda: halved.admin("PUT", "user", uid="first", display_name="first").status_code in {200, 409})
    return made


def test_a_key_that_is_listed_and_does_not_work_is_made_anew(halved: CephStand, halves: Halves) -> None:
    org = halves["key", "mended"]
    assert halved.keys_of(org) == {key.key_id for key in org.keys}
    assert halved.put(org).status_code == 403
    # The control: to write it once more is answered 200, and changes nothing.
    halved.add_key(org, org.key)
    assert halved.put(org).status_code == 403
    assert settle(halved.store, org) == [True, False, False]
    assert settle(halved.store, org) == UNCHANGED
    assert [halved.put(org, key=key).status_code for key in org.keys] == [200, 200]


def test_a_bucket_that_its_owner_does_not_list_is_linked_again(halved: CephStand, halves: Halves) -> None:
    org = halves["link", "mended"]
    assert halved.done("GET", "bucket", uid=org.name) == []
    assert settle(halved.store, org) == [False, True, False]
    assert halved.done("GET", "bucket", uid=org.name) == [org.name]
    assert halved.store.usage(org.name, org.name).objects == 1
    assert settle(halved.store, org) == UNCHANGED


def test_a_bucket_that_is_listed_and_gone_is_made_again(halved: CephStand, halves: Halves) -> None:
    org = halves["bucket", "mended"]
    # The control: its place is taken by what is not there.
    assert "TooManyBuckets" in halved.call(org.key, "PUT", f"/{org.name}").text
    assert settle(halved.store, org) == [False, True, False]
    assert halved.put(org).status_code == 200
    assert halved.done("GET", "user", uid=org.name)["max_buckets"] == 1
    assert settle(halved.store, org) == UNCHANGED


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("lost", LOSSES)
def test_a_removal_goes_through_each_half(halved: CephStand, halves: Halves, lost: str, state: str) -> None:
    org = halves[lost, state]
    assert halved.store.remove(org.name, org.name, org.key, 1)
    assert not halved.store.remove(org.name, org.name, org.key, 1)
    assert org.name not in set().union(*halved.store.inventory())
