"""`parvis support`: asked, listed, taken back; there is no command that consents."""

from tests.cli.running import ordered, parvis, told
from tests.world.product import Product


def test_access_is_asked_for_listed_and_taken_back(product: Product) -> None:
    ordered(product, "cli-support")
    staff = product.first_run["staff"]["email"]
    asked = ("support", "ask", "cli-support", "--staff", staff, "--reason", "Ticket 4711", "--hours", "24")
    made = told(product.folder, *asked)
    assert (made["state"], made["read_only"], made["hours"]) == ("waiting", True, 24)
    listed = parvis(product.folder, "support", "list", "cli-support").stdout
    assert "waiting" in listed
    assert "read only" in listed
    assert "Ticket 4711" in parvis(product.folder, "support", "show", "cli-support", made["id"]).stdout
    told(product.folder, "support", "end", "cli-support", made["id"], "--yes")
    (ended,) = told(product.folder, "support", "list", "cli-support")["items"]
    assert ended["state"] == "refused"
    help_text = parvis(product.folder, "support", "--help").stdout
    assert "accept" not in help_text.replace("accepted", "")
