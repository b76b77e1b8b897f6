"""What granian serves in the embedded mode: the application named by PARVIS_SERVE, which dies with its parent."""

import importlib
import os
import signal
from typing import Any

from control_plane.embedded.processes import die_with_parent
from kit.settings import SettingError


def _load() -> Any:
    name = os.environ.get("PARVIS_SERVE", "")
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise SettingError("PARVIS_SERVE", name or None, "an application such as control_plane.web:app")
    # granian's own process may be killed: its worker must not stay behind and hold the port.
    die_with_parent(signal.SIGKILL)
    return getattr(importlib.import_module(module), attribute)


app = _load()
