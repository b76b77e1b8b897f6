"""Ceph's programs, which are the system's: packages bring them, and a wheel of them there is not."""

import os
import shutil

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
CURE = "apt-get install --no-install-recommends ceph-mon ceph-osd radosgw"


def missing() -> str | None:
    """Why there can be no Ceph on this machine, in words that name the cure."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    return f"Ceph is not installed ({', '.join(absent)}). On Debian and Ubuntu: {CURE}" if absent else None


def program(name: str) -> str:
    """Where it is."""
    return str(shutil.which(name, path=PATH))
