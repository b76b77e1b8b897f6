"""`python -m control_plane`: the same as `parvis`."""

from control_plane.cli import main

main(prog_name="parvis")
