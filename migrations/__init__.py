"""The three kinds of schema: the control plane's, a cell's directory, one tenant's."""

import threading

# Alembic's `op` belongs to the whole process: two threads that migrate or compile at once would write into each other.
ALONE = threading.Lock()
