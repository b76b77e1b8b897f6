"""What a directory pushes, and what becomes of it in the workspace."""

from tests.scim.directories import opened
from tests.workspace.houses import House


def test_a_pushed_user_is_a_member_of_the_workspace(house: House) -> None:
    push = opened(house)
    made = push.user("anna")
    assert made["active"] is True
    assert push.person(made["id"]) == ("Anna Martin", "anna@sevres.example", 1, True)
    read = push.get(f"/Users/{made['id']}")
    assert read.json() == made
