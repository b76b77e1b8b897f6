"""Files and folders of a workspace's spaces, and its start page."""

from tenant_app.drive.api import Drive, Trash
from tenant_app.drive.chores import tidy
from tenant_app.drive.home import Home
from tenant_app.drive.store import Stores
from tenant_app.drive.transfers import Transfers

__all__ = ["Drive", "Home", "Stores", "Transfers", "Trash", "tidy"]
