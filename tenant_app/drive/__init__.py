"""Files and folders of a workspace's spaces, and its start page."""

from tenant_app.drive.api import Drive, Trash
from tenant_app.drive.chores import tidy
from tenant_app.drive.home import Home

__all__ = ["Drive", "Home", "Trash", "tidy"]
