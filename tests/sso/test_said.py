"""What an ID token says of a person's groups, and what it leaves out."""

from typing import Any

import pytest

from kit.openid import Claims
from kit.vault import Vault
from tenant_app.accounts import sso_openid
from tenant_app.accounts.sso_traces import Trail
from tests.sso.providers import paper
from tests.workspace.houses import CELL_KEY

ELSEWHERE = {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example/"}}}


@pytest.mark.parametrize(
    ("values", "groups", "left_out"),
    [
        ({"groups": ["staff"]}, ("staff",), False),
        ({}, (), False),
        ({"groups": []}, (), False),
        ({"hasgroups": False}, (), False),
        ({"_claim_names": {"address": "src1"}}, (), False),
        ({"_claim_names": "groups"}, (), False),
        (ELSEWHERE, (), True),
        ({"hasgroups": True}, (), True),
        (ELSEWHERE | {"groups": ["staff"]}, ("staff",), False),
    ],
)
def test_a_distributed_claim_is_no_empty_list(values: dict[str, Any], groups: tuple[str, ...], left_out: bool) -> None:
    connection = paper().connection
    claims = Claims("alice", "https://idp.example", values, "token")
    said = sso_openid.said(connection, claims, Trail(connection, test=False), Vault(CELL_KEY))
    assert (said.groups, said.groups_left_out) == (groups, left_out)
