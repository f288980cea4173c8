"""The rules of the house that a machine can check beyond the import contracts."""

import subprocess
import sys

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from llmops_api.features import ROUTERS

PROBE = """
import os, sys

def closed(event, arguments):
    if event.startswith("socket.") and event not in {"socket.gethostname"}:
        raise AssertionError(event)

os.environ["LLMOPS_PORT"] = "no number: reading the settings would fail"
sys.addaudithook(closed)
import llmops_api.app, llmops_api.cli
for module in list(sys.modules):
    assert not module.startswith(("dbos", "onnxruntime", "tantivy")), module
"""


def test_importing_the_package_reads_no_settings_opens_no_socket_and_loads_no_technology() -> None:
    """Opening happens in one place, when the service starts."""
    probe = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)

    assert probe.returncode == 0, probe.stderr


@pytest.mark.parametrize("router", ROUTERS)
def test_every_route_has_a_tag_and_a_summary(router: APIRouter) -> None:
    """The OpenAPI page has no nameless entry."""
    for route in router.routes:
        assert isinstance(route, APIRoute)
        assert router.tags or route.tags, route.path
        assert route.summary, route.path
