"""The engine, and the image that all of these tests try."""

from collections.abc import Iterator

import pytest

from tests.containers.engine import IMAGE, Engine, cache_folder


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    """The first time on a machine takes some minutes, so its progress is shown."""
    engine = Engine(cache_folder())
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        engine.prepare()
    return engine


@pytest.fixture(scope="session")
def image(engine: Engine) -> Iterator[str]:
    """Built by the Makefile from this checkout."""
    engine.run("make", "image", f"IMAGE={IMAGE}")
    yield IMAGE
    engine.podman("rmi", "--force", IMAGE)
    engine.podman("image", "prune", "--force")
