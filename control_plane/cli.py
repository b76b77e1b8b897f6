"""`parvis`: the command line. It only gathers the commands."""

import click

from control_plane.commands.audit import audit
from control_plane.commands.cell import cell
from control_plane.commands.connection import connection
from control_plane.commands.domain import domain
from control_plane.commands.local import database, export, staff, up
from control_plane.commands.mirrors import mirror
from control_plane.commands.offer import offer
from control_plane.commands.operation import operation
from control_plane.commands.organisation import organisation
from control_plane.commands.sign_in import policy, scim, set_up_link
from control_plane.commands.storage import storage
from control_plane.commands.support import support
from control_plane.commands.token import token
from control_plane.commands.upgrading import upgrade_cells
from control_plane.commands.vault import vault

EPILOG = """\
Exit codes: 0 done; 1 the operation failed, or a verification found something; 2 wrong use; 3 refused; 4 not allowed;
5 not found; 6 conflict; 7 does not answer; 8 still going on when --timeout ended.
"""


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="parvis", message="%(prog)s %(version)s")
def main() -> None:
    """Parvis: order, look after and remove organisations by the operator API, or run the whole product here.

    The API is found by --url and --token, by PARVIS_API_URL and PARVIS_API_TOKEN, or by var/first-run.json of this
    folder. Every command takes --json.
    """


SIGN_IN = (domain, connection, policy, scim, set_up_link, support)
for command in (up, organisation, *SIGN_IN, storage, offer, cell, operation, token, audit, staff, database, vault):
    main.add_command(command)
cell.add_command(export)
cell.add_command(upgrade_cells, "upgrade")
storage.add_command(mirror)
