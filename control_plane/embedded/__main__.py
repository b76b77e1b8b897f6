"""`python -m control_plane.embedded`: what `parvis up` does."""

import sys

from control_plane.embedded.start import main

sys.exit(main(sys.argv[1:]))
