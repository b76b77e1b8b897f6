"""Who decides about removals that wait: an administrator, about others."""

from tests.console.asking import send
from tests.console.furnish import waits
from tests.world.console_door import ConsoleDoor
from tests.world.house import House

PATH = "/provisioning/removals"


def test_whom_the_directory_would_remove_does_not_keep_himself_in(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    leaving = door.person(organisation, "administrator", name="Inès Part")
    other = door.person(organisation, "member", name="Léa Part")
    own, hers = waits(door, organisation, leaving, "mapping"), waits(door, organisation, other)
    with door.client(organisation, leaving) as client:
        assert "by your changed mapping" in client.get(f"/console{PATH}").text
        for verb in ("refusal", "approval"):
            refused = send(client, f"{PATH}/{verb}", removal=[str(own), str(hers)])
            assert (refused.status_code, "another administrator decides about you" in refused.text) == (403, True)
        # The controls: he decides about her, and somebody else about him.
        assert send(client, f"{PATH}/refusal", removal=str(hers)).status_code == 303
    with door.client(organisation, door.person(organisation)) as client:
        assert send(client, f"{PATH}/approval", removal=str(own)).status_code == 303
    active = dict(door.inside(organisation, "select id, disabled_at is null from principal"))
    assert (active[leaving], active[other]) == (False, True)
