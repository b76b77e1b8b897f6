"""What stops the embedded mode."""


class EmbeddedError(Exception):
    """What stops the embedded mode, in words for the one who started it."""
