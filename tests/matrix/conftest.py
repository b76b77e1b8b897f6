import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from kit.db import open_engine
from kit.settings import ControlPlaneSettings
from kit.vault import Vault
from tests.matrix.faces import Faces, open_faces
from tests.operator_api.conftest import furnish
from tests.world.servers import create_database, drop_database


@pytest.fixture(scope="module")
def matrix_engine(postgres: str, _template: str, vault: Vault) -> Iterator[Engine]:
    name = f"matrix_{os.getpid()}"
    engine = open_engine(create_database(postgres, name, _template), vault=vault)
    furnish(engine, vault)
    yield engine
    engine.dispose()
    drop_database(postgres, name)


@pytest.fixture(scope="module")
def faces(matrix_engine: Engine, vault: Vault, tmp_path_factory: pytest.TempPathFactory) -> Faces:
    folder: Path = tmp_path_factory.mktemp("faces")
    key = folder / "master.key"
    key.write_text(base64.b64encode(vault.master).decode())
    settings = ControlPlaneSettings.from_env(
        {
            "PARVIS_DNS_RESOLVERS": "127.0.0.1:1",
            "PARVIS_DATABASE_URL": "postgresql://127.0.0.1/unused",
            "PARVIS_BROKER_URL": "redis://127.0.0.1:1/0",
            "PARVIS_MASTER_KEY_FILE": str(key),
        }
    )
    return open_faces(matrix_engine, settings, folder)
