"""The upstreams as pytest fixtures: one process each for the whole run."""

from collections.abc import Iterator

import pytest

from tests.upstreams import servers


@pytest.fixture(scope="session")
def own_upstream_process() -> Iterator[servers.OwnUpstream]:
    with servers.own_upstream() as upstream:
        yield upstream


@pytest.fixture
def own_upstream(own_upstream_process: servers.OwnUpstream) -> servers.OwnUpstream:
    """Our own upstream, its counters at zero."""
    own_upstream_process.reset()
    return own_upstream_process


@pytest.fixture(scope="session")
def aimock() -> Iterator[servers.Server]:
    """An OpenAI-compatible upstream that we did not write."""
    with servers.aimock() as upstream:
        yield upstream
