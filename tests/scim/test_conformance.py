"""Two testers of others against the running workspace: neither may find a failure."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import ScimProvider
from scim2_tester import Status, check_server
from scim_sanity.probe.runner import run_probe_api

from tests.scim.directories import DOMAIN, Directory, opened
from tests.workspace.houses import House


class Addresses(list[str]):
    """Examples of an e-mail: each drawn one is new, in the proven domain (the tester draws them from anywhere)."""

    def __getitem__(self, _place: Any) -> Any:
        return f"{uuid4()}@{DOMAIN}"


@contextmanager
def scim2_client(push: Directory) -> Iterator[SyncSCIMClient]:
    headers = {"Host": f"{push.record.hosts[0]}:{push.house.port}", "Authorization": f"Bearer {push.secret}"}
    with httpx2.Client(base_url=f"http://127.0.0.1:{push.house.port}/scim/v2", headers=headers, timeout=60) as http:
        client = SyncSCIMClient(http)
        client.discover()
        yield client


def teach(provider: ScimProvider) -> None:
    """Tell the tester which e-mails this organisation may have."""
    for model in provider.models:
        emails = model.model_fields.get("emails")
        if emails is not None:
            [inner] = [one for one in _classes(emails.annotation) if hasattr(one, "model_fields")]
            inner.model_fields["value"].examples = Addresses(["x"])


def _classes(annotation: Any) -> list[Any]:
    found = [annotation] if isinstance(annotation, type) else []
    for one in getattr(annotation, "__args__", ()):
        found += _classes(one)
    return found


@pytest.mark.filterwarnings("default")
def test_scim2_tester_finds_no_failure(house: House) -> None:
    push = opened(house)
    random.seed(7)
    with scim2_client(push) as client:
        teach(client.provider)
        results = check_server(client)
    counted = Counter(one.status for one in results)
    failed = [f"{one.title} {one.resource_type}: {one.reason}" for one in results if one.status is not Status.SUCCESS]
    assert counted[Status.SUCCESS] > 80, counted
    assert failed == []


def test_scim_sanity_finds_no_failure(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # It asks the system's resolver, which knows no name of ours: here the workspace's host is an address.
    address = f"sanity-{uuid4().hex[:8]}"
    push = opened(house, address=address, domains=("example.com",), hosts=(f"{address}.parvis.localhost", "127.0.0.1"))
    for strict in (True, False):
        found = run_probe_api(f"http://127.0.0.1:{house.port}/scim/v2", token=push.secret, strict=strict)
        assert [one for one in found["results"] if one["status"].lower() not in {"pass", "skip"}] == []
        assert found["exit_code"] == 0
        assert len(found["results"]) > 25
