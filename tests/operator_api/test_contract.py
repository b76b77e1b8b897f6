"""The OpenAPI document is complete, and the API keeps to it under every request that a machine thinks of."""

import gc
import os
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from litestar.testing import TestClient
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from sqlalchemy import Engine

from control_plane import identity
from control_plane.audit import SYSTEM
from control_plane.identity import Scope
from control_plane.operator_api import Buckets, document, examples
from control_plane.operator_api.reading import faults
from kit.db import open_engine, transaction
from kit.settings import ControlPlaneSettings
from kit.vault import Vault
from kit.web import Frame
from tests.operator_api.conftest import Api, application, furnish
from tests.world.servers import create_database, drop_database

# The rules of the rooms refuse more than a schema can say, with 409 and 422: that check alone is left out.
EXAMPLES = 6
OPERATIONS = [
    (path, method, operation) for path, methods in document()["paths"].items() for method, operation in methods.items()
]


# Schemathesis leaves its client's streams to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def tidy() -> Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def contract_engine(postgres: str, _template: str, vault: Vault) -> Iterator[Engine]:
    name = f"contract_{os.getpid()}"
    engine = open_engine(create_database(postgres, name, _template), vault=vault)
    furnish(engine, vault)
    yield engine
    engine.dispose()
    drop_database(postgres, name)


@pytest.fixture(scope="module")
def contract_api(contract_engine: Engine, settings: ControlPlaneSettings) -> Iterator[Api]:
    app: Any = Frame(application(contract_engine, settings, Buckets(limit=10**6)))
    with TestClient(app.app) as client:
        client.app = app
        with transaction(contract_engine) as session:
            token, secret = identity.issue_token(session, "all", tuple(Scope), None, (), SYSTEM)
        api = Api(client, contract_engine, secret, token)
        api.order("sevres")
        yield api


# These reach out to any address they are given: their refusals are tested by name.
REACHING_OUT = ("add_database", "add_cell", "mirror_cell", "add_connection")
FUZZED = [
    (path, method, mode)
    for path, method, operation in OPERATIONS
    for mode in GenerationMode
    if operation["operationId"] not in REACHING_OUT and (operation["parameters"] or mode is GenerationMode.POSITIVE)
]


@pytest.mark.parametrize(("path", "method", "mode"), FUZZED)
def test_the_api_keeps_to_its_contract(contract_api: Api, path: str, method: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(document())
    schema.app = contract_api.client.app

    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
    )
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def asked(case: Case) -> None:
        case.call_and_validate(
            headers={"Authorization": f"Bearer {contract_api.secret}"}, excluded_checks=[positive_data_acceptance]
        )

    asked()


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_says_what_it_is_wants_and_refuses(path: str, method: str, operation: Any) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    if path.endswith("openapi.json"):
        return
    assert "Scope: `" in operation["description"]
    assert {"400", "401", "403", "429", "503"} <= operation["responses"].keys()
    assert ("404" in operation["responses"]) >= ("{" in path)
    if "requestBody" in operation:
        assert {"413", "415", "422"} <= operation["responses"].keys()
    for parameter in operation["parameters"]:
        assert parameter.get("description"), parameter["name"]


def test_every_body_has_an_example_and_every_schema_words() -> None:
    schemas = document()["components"]["schemas"]
    for name, one in schemas.items():
        if one.get("type") == "object":
            assert one.get("description"), name
    for _, _, operation in OPERATIONS:
        if "requestBody" in operation:
            name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert schemas[name]["examples"], name
            assert schemas[name]["additionalProperties"] is False


def test_every_example_is_a_right_body() -> None:
    assert {kind.__name__: faults(example, kind) for kind, example in examples.EXAMPLES.items()} == {
        kind.__name__: [] for kind in examples.EXAMPLES
    }


def test_the_document_is_served_to_all_and_names_no_foreign_host(contract_api: Api) -> None:
    answer = contract_api.client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == document()
    assert answer.json()["openapi"].startswith("3.1")
    assert "http://" not in answer.text.replace("http://sevres", "")
