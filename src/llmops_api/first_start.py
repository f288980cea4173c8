"""What a service does before its first request: a first key, the sample world, and the index in step with the records."""

import logging
import os
from pathlib import Path

from starlette.datastructures import State

from llmops_api.core.keys import Keys, Scope
from llmops_api.core.lore import LoreLibrary
from llmops_api.core.seeding import SAMPLE, seed
from llmops_api.core.worlds import Worlds
from llmops_api.errors import LLMOpsError
from llmops_api.ports.state import Put
from llmops_api.settings import Settings

SETUP = "setup"

log = logging.getLogger(__name__)


async def furnish_first(settings: Settings, rooms: State) -> None:
    """A first key when nobody is admin yet, and the sample world where the settings want it."""
    if settings.admin_key is None and not await _has_admin(rooms.keys):
        await _first_key(settings.key_file, rooms.keys)
    name = SAMPLE if settings.seed is True else settings.seed
    if name and await rooms.backends.state.get(SETUP, f"seed/{name}") is None:
        if settings.seed is not True or not await rooms.worlds.list(limit=1):
            await seed(name, rooms.worlds, rooms.lore, rooms.characters)
            log.info("loaded the sample world as %s", name)
        await rooms.backends.state.write(Put(SETUP, f"seed/{name}", {}))


async def _has_admin(keys: Keys) -> bool:
    after = ""
    while found := await keys.list(after=after):
        if any(Scope.ADMIN in key.scopes and key.revoked_at is None for key in found):
            return True
        after = found[-1].key_id
    return False


async def _first_key(path: Path, keys: Keys) -> None:
    """Its token goes to a file that only the owner of the service can read; never to the log."""
    _, token = await keys.create("first key", [Scope.ADMIN])
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(token)
    log.info("the first key is in %s", path)


async def mend(worlds: Worlds, lore: LoreLibrary) -> None:
    """Bring every world's index in step with its records: whatever a crash has left between them is closed here."""
    after = ""
    while found := await worlds.list(after=after):
        for world in found:
            after = world.id
            try:
                await lore.sync(world)
            except LLMOpsError as error:
                log.warning("the lore of a world could not be brought in step: %s", error.code)
