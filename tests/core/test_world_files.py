"""A world's file while others write to the world, and an import by one job at a time."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from llmops_api.core.characters import Character, Characters
from llmops_api.core.conversations import Conversation, Conversations
from llmops_api.core.documents import Document
from llmops_api.core.jobs import Jobs
from llmops_api.core.lore import DOCUMENT
from llmops_api.core.removal import Removal
from llmops_api.core.world_export import PIECE_BYTES, exported
from llmops_api.core.world_files import Entry, Kind
from llmops_api.core.world_import import WorldImports
from llmops_api.core.worlds import IMPORTING, World
from llmops_api.errors import ConflictError, NotFound
from llmops_api.ports.lore_index import LoreIndex
from llmops_api.ports.state import Put, StateStore
from tests.support import Clock, CountingEmbedder, IdleRunner, Library, a_turn, library_of

WORLD = World("w", "W")
MANY = [Document(f"{number:03}", "T", "x" * 5000) for number in range(40)]
"""More than a piece of a file."""
TALK = Conversation("conv_1", "w", "guard", "p1", "s1", "2026-01-01T00:00:00+00:00", is_new=True)
AT = datetime(2021, 5, 4, tzinfo=UTC)


@pytest.fixture
async def library(state: StateStore, index: LoreIndex) -> Library:
    library = library_of(state, index)
    await library.worlds.put(WORLD)
    return library


@pytest.fixture
def imports(state: StateStore, index: LoreIndex, library: Library) -> WorldImports:
    jobs = Jobs(state, IdleRunner(), Clock(), lambda prefix: f"{prefix}_1")
    contents = (Conversations(state), Characters(state), library.lore)
    return WorldImports(state, index, library.worlds, Removal(state, index, library.worlds, contents), jobs)


def lines(file: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in file.splitlines()]


async def whole(state: StateStore) -> bytes:
    return b"".join([piece async for piece in exported(state, "w")])


async def test_a_file_says_nothing_of_index_and_embedder(library: Library, state: StateStore, index: LoreIndex) -> None:
    """Neither their names nor vectors: built anew with another embedder, the world is the same file."""
    await library.lore.put_many(WORLD, MANY[:3])
    before = await whole(state)

    async def nothing(_done: int, _total: int) -> None:
        pass

    await library_of(state, index, CountingEmbedder()).lore.rebuild(WORLD, nothing)

    assert await whole(state) == before


async def test_what_is_written_while_a_file_is_made_may_be_in_it(library: Library, state: StateStore) -> None:
    """After each piece, of which the guard fills one. The file stays one that can be imported: each thing once, versions below their character's, turns without a gap."""
    characters, conversations = Characters(state), Conversations(state)
    await library.lore.put_many(WORLD, MANY)
    await characters.put("w", Character("guard", "Joss"))
    await characters.put("w", Character("guard", "Corporal"))
    await conversations.record(TALK, a_turn())
    file, number = b"", 3

    async for piece in exported(state, "w"):
        file += piece
        if number < 12:
            await characters.put("w", Character("guard", f"Number {number}", "x" * PIECE_BYTES))
            await conversations.record(replace(TALK, is_new=False), a_turn(number))
            await library.lore.put(WORLD, Document("zzz", "Late", f"{number}"))
            await library.lore.delete(WORLD, MANY[-1].id)
            await library.lore.put(WORLD, MANY[-1])
            number += 1

    entries = [Entry.of(line) for line in lines(file)[1:-1]]
    guard = next(entry for entry in entries if entry.kind is Kind.CHARACTER)
    assert number > guard.number > 3
    assert [entry.place for entry in entries] == sorted({entry.place for entry in entries})
    assert [each.number for each in entries if each.kind is Kind.CHARACTER_VERSION] == list(range(1, guard.number))
    turns = [entry.number for entry in entries if entry.kind is Kind.TURN]
    assert turns == list(range(1, len(turns) + 1))


async def test_a_world_that_is_deleted_meanwhile_leaves_a_file_without_an_end(
    library: Library, state: StateStore
) -> None:
    await library.lore.put_many(WORLD, MANY)
    pieces = exported(state, "w")
    await anext(pieces)
    await library.worlds.hide("w")

    with pytest.raises(NotFound):
        async for _ in pieces:
            pass


async def test_of_two_jobs_that_import_one_world_the_second_gets_nothing(
    imports: WorldImports, library: Library
) -> None:
    """The first may come again, and finds the place where it was."""
    new = World("new", "New")
    first = await imports.take(new, "job_1")
    with pytest.raises(ConflictError):
        await imports.take(new, "job_2")
    document = Entry(Kind.DOCUMENT, "a", 7, AT, Document("a", "A", "a").fields)
    first = await imports.write(first, [document], 1)

    assert await imports.take(new, "job_1") == first
    assert first.position == 1


async def test_a_job_that_was_cut_off_before_its_first_batch_forgets_what_it_had_not(
    imports: WorldImports, library: Library, state: StateStore
) -> None:
    """The number that a deletion in an earlier world of the name has left."""
    await library.worlds.put(new := World("new", "New"))
    await library.lore.put(new, MANY[0])
    await imports.removal.remove("new")
    await state.write(Put(IMPORTING, "new", {"job_id": "job_1", "position": 0}))

    await imports.take(new, "job_1")

    assert await state.list(DOCUMENT, prefix="new/", deleted=True) == []


async def test_a_job_that_has_lost_the_name_writes_nothing(
    imports: WorldImports, library: Library, state: StateStore
) -> None:
    """Its world was deleted, and another one of the name is there."""
    new = World("new", "New")
    lost = await imports.take(new, "job_1")
    await imports.removal.remove("new")
    await library.worlds.put(new)

    with pytest.raises(ConflictError):
        await imports.write(lost, [Entry(Kind.DOCUMENT, "a", 7, AT, Document("a", "A", "a").fields)], 1)
    with pytest.raises(ConflictError):
        await imports.finish(lost, Entry(Kind.WORLD, "new", 9, AT, World("new", "Other").fields))

    assert await library.lore.list(new) == []
    assert (await library.worlds.get("new")).title == "New"


async def test_nobody_makes_a_world_of_a_name_that_is_held(imports: WorldImports, library: Library) -> None:
    """Nor sees one, until it is whole; then its version is the one that it had."""
    new = World("new", "New")
    hold = await imports.take(new, "job_1")
    with pytest.raises(ConflictError):
        await library.worlds.put(new)
    assert [world.id for world in await library.worlds.list()] == ["w"]

    await imports.finish(hold, Entry(Kind.WORLD, "elsewhere", 9, AT, World("new", "Other").fields))

    assert await library.worlds.get("new") == World("new", "Other", version=9)
    assert (await library.worlds.put(new))[0].version == 10


async def test_a_world_that_appears_before_the_job_begins_stays(imports: WorldImports, library: Library) -> None:
    with pytest.raises(ConflictError):
        await imports.take(WORLD, "job_1")
    with pytest.raises(ConflictError):
        await imports.make_room("w")

    assert (await library.worlds.get("w")).version == 1
    await library.lore.put(WORLD, MANY[0])
