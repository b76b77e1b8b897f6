from tests.workspace.fixtures import house  # noqa: F401 - pytest finds it here
