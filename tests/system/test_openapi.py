"""The OpenAPI page: what it shows runs as it stands, says everything, and works in a browser without any outside host."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.system.deployments import Deployment
from tests.system.service import ADMIN_KEY, Service
from tests.upstreams.servers import HERE, NODE

OPEN = {"/health/live", "/health/ready", "/metrics"}
SELF_EVIDENT = {"created_at", "document_id", "job_id", "text", "title"}
"""Fields whose name is their description."""
ORDER = ("put", "post", "get", "delete")
"""What an example reads or deletes, another one has written."""


@pytest.fixture(scope="module")
def service(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A fresh service with the sample world."""
    with Service(tmp_path_factory.mktemp("openapi") / "data", **deployment.settings(), SEED="true") as service:
        yield service


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    return dict(httpx2.get(f"{service.url}/openapi.json").json())


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    found = [(path, method, each) for path, methods in document["paths"].items() for method, each in methods.items()]
    return sorted(found, key=lambda each: ORDER.index(each[1]))


def _bodies(operation: dict[str, Any], document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every example of a request's body with its media type; none: the one that the page makes of the fields' examples."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if "examples" in content:
            yield from ((media_type, each["value"]) for each in content["examples"].values())
        elif "example" in content:
            yield media_type, content["example"]
        elif "$ref" in content["schema"]:
            schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
            fields = schema["properties"].items()
            yield media_type, {name: each["examples"][0] for name, each in fields if "examples" in each}


def test_every_example_runs_as_it_stands(service: Service, document: dict[str, Any]) -> None:
    """In the page's order of writing, acting, reading and deleting; then the sample world is as it was."""
    lore = service.client.get("/v1/worlds/emberfall/lore", params={"limit": 500}).json()
    for path, method, operation in _operations(document):
        values = {each["name"]: each.get("example") for each in operation.get("parameters", ()) if each["in"] == "path"}
        if None in values.values():
            continue  # only the service knows the id of a conversation, a job or a key
        for media_type, body in list(_bodies(operation, document)) or [(None, None)]:
            sent = body if isinstance(body, str) else json.dumps(body)
            headers = {"content-type": media_type} if media_type else {}
            answer = service.client.request(method, path.format(**values), content=sent, headers=headers)
            assert answer.is_success, f"{method} {path} {sent}: {answer.text}"
            assert "event: error" not in answer.text

    after = service.client.get("/v1/worlds/emberfall/lore", params={"limit": 500}).json()
    assert {json.dumps(each) for each in lore["items"]} <= {json.dumps(each) for each in after["items"]}


def test_every_operation_says_what_it_does_and_how_it_fails(document: dict[str, Any]) -> None:
    """Summary, description, tag; the key it needs; each failure a problem document."""
    for path, method, operation in _operations(document):
        assert operation["summary"], path
        assert operation["description"], path
        assert operation["tags"], path
        if path in OPEN:
            assert "security" not in operation
            continue
        expected = (
            {"401", "403"} | ({"404"} if "{" in path else set()) | ({"422"} if "parameters" in operation else set())
        )
        assert operation["security"] == [{"HTTPBearer": []}], path
        assert expected <= operation["responses"].keys(), f"{method} {path}"
        for status, answer in operation["responses"].items():
            assert answer["description"]
            assert int(status) < 400 or list(answer["content"]) == ["application/problem+json"], f"{path} {status}"


def test_every_field_and_parameter_is_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    fields = {
        f"{schema}.{name}": field
        for schema, described in schemas.items()
        for name, field in described.get("properties", {}).items()
        if name not in SELF_EVIDENT
    }
    parameters = {
        f"{path} {parameter['name']}": parameter
        for path, _, operation in _operations(document)
        for parameter in operation.get("parameters", ())
    }

    assert [name for name, each in (fields | parameters).items() if not _described(each, schemas)] == []


def _described(field: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """By itself, or by what it refers to."""
    references = [each["$ref"] for each in (field, *field.get("anyOf", ())) if "$ref" in each]
    return "description" in field or any("description" in schemas[each.rpartition("/")[2]] for each in references)


def test_a_person_can_authorise_and_execute_without_any_outside_host(service: Service) -> None:
    """In a real browser: nothing is fetched from elsewhere, the key is taken, the first example is answered from lore."""
    command = [str(NODE), str(HERE / "browser.mjs"), service.url, ADMIN_KEY, "ask_v1_worlds__world__ask_post"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)

    assert all(url.startswith(service.url) for url in seen["requests"])
    assert (seen["complaints"], seen["status"]) == ([], "200")
    assert "place/ember-gate" in seen["body"]
