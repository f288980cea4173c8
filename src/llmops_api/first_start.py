"""What a service does before its first request: a first key, the sample world, and the index in step with the records.

Each step may be cut off anywhere, or be taken by two replicas at once: the next start, or the other one, finishes it.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

from llmops_api.core.characters import Characters
from llmops_api.core.keys import Keys, Scope
from llmops_api.core.lore import LoreLibrary
from llmops_api.core.removal import Removal
from llmops_api.core.seeding import SAMPLE, seed
from llmops_api.core.worlds import Worlds
from llmops_api.errors import BadInput, ConflictError, VersionMismatch
from llmops_api.ports.state import Put, StateStore

SETUP = "setup"

log = logging.getLogger(__name__)


async def make_first_key(path: Path, keys: Keys) -> None:
    """An admin key when nobody is admin yet. Its token goes to a file that only the owner of the service can read,
    never to the log; the file comes first, so that no crash leaves a key that nobody has."""
    if await _has_admin(keys):
        return
    token = _kept(path, keys.new_token())
    if not await keys.adopt(token, "first key", [Scope.ADMIN]):
        raise BadInput(f"{path} holds no key of this service; move it away, and start again for a new one.")
    log.info("the first key is in %s", path)


async def _has_admin(keys: Keys) -> bool:
    after = ""
    while found := await keys.list(after=after):
        if any(Scope.ADMIN in key.scopes and key.revoked_at is None for key in found):
            return True
        after = found[-1].key_id
    return False


def _kept(path: Path, token: str) -> str:
    """What the file holds, which is `token` unless it was there; it appears whole or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(token)
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    return path.read_text().strip()


async def load_sample(
    wanted: bool | str, state: StateStore, worlds: Worlds, lore: LoreLibrary, characters: Characters
) -> None:
    """The sample world: with True where there is no world at all, with a name under that name; once."""
    name = SAMPLE if wanted is True else wanted
    if not name:
        return
    record = await state.get(SETUP, f"seed/{name}")
    if record is None:
        done = wanted is True and bool(await worlds.list(limit=1))
        with suppress(VersionMismatch):
            await state.write(Put(SETUP, f"seed/{name}", {"done": done}, expected_version=0))
    else:
        done = record.value["done"]
    if not done:
        with suppress(ConflictError):  # a world of that name is being imported: that one is wanted
            await seed(name, worlds, lore, characters)
            log.info("loaded the sample world as %s", name)
        await state.write(Put(SETUP, f"seed/{name}", {"done": True}))


async def mend(removal: Removal, worlds: Worlds, lore: LoreLibrary) -> None:
    """Close what a crash has left open: worlds that are half deleted, indexes that are not in step with their records."""
    await removal.finish_all()
    after = ""
    while found := await worlds.list(after=after):
        for world in found:
            after = world.id
            try:
                await lore.sync(world)
            except Exception:  # one world must not keep the others from being mended
                log.exception("the lore of %s could not be brought in step; re-index it", world.id)
