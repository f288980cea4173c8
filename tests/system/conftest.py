"""What every system test runs on, one after the other: all in the process, and what a studio runs."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.system.deployments import Deployment, Embedded, Production


@pytest.fixture(scope="session", params=["embedded", "production"])
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Ask it for the settings of each service, or group of replicas, that a test starts."""
    if request.param == "embedded":
        yield Embedded()
        return
    with ExitStack() as stack:
        urls = (request.getfixturevalue(f"{server}_url") for server in ("postgresql", "opensearch"))
        yield Production(*urls, stack)


@pytest.fixture
def settings(deployment: Deployment) -> dict[str, str]:
    """Of the services and commands of this test: they share a database and an index, and nobody else does."""
    return deployment.settings()
