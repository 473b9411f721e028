"""The document is complete, consistent, and true to the routes."""

from __future__ import annotations

import re

import pytest

CALLS = {
    "/v1/recommendations": {"post"},
    "/v1/recommendations/batch": {"post"},
    "/v1/similar/{id}": {"get"},
    "/v1/context": {"get"},
    "/v1/trending": {"get"},
    "/v1/latest": {"get"},
    "/v1/popular": {"get"},
    "/v1/events": {"post"},
    "/v1/rewards": {"post"},
    "/v1/items": {"get"},
    "/v1/items/{id}": {"put", "delete"},
    "/v1/users": {"get"},
    "/v1/users/{id}": {"get", "put", "delete"},
    "/v1/versions": {"get"},
    "/health/live": {"get"},
    "/health/ready": {"get"},
    "/metrics": {"get"},
}


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json()


def test_every_call_is_described(document):
    assert document["openapi"] == "3.1.0"
    assert {path: set(methods) for path, methods in document["paths"].items()} == CALLS
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"] and any(status.startswith("2") for status in operation["responses"])
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert response["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= set(operation["responses"])


def test_every_reference_leads_somewhere(document):
    found = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert found == set(document["components"]["schemas"])


def test_path_parameters_are_declared(document):
    for path, methods in document["paths"].items():
        for operation in methods.values():
            declared = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path))


def test_the_example_works(client, document):
    example = document["paths"]["/v1/recommendations"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert client.post("/v1/recommendations", json=example).status_code == 200
