"""Worlds, on the stores that keep them."""

from dataclasses import replace
from itertools import count

import pytest

from llmops_api.core.characters import Character, Characters
from llmops_api.core.conversations import Conversation, Conversations, Criteria
from llmops_api.core.removal import Removal
from llmops_api.core.worlds import POINTER, REMOVAL, IndexRef, World, Worlds
from llmops_api.errors import ConflictError, NotFound, VersionMismatch
from llmops_api.ports.lore_index import LoreIndex, Query
from llmops_api.ports.state import Require, StateStore
from tests.support import CountingEmbedder, a_turn

SALTMARSH = World("saltmarsh", "Saltmarsh", locale="pt-BR", dialogue={"deadline_ms": 900}, gate_threshold=0.5)


@pytest.fixture
def worlds(state: StateStore, index: LoreIndex) -> Worlds:
    numbers = count(1)
    return Worlds(state, index, CountingEmbedder("letters"), lambda prefix: f"{prefix}_{next(numbers)}")


@pytest.fixture
def removal(state: StateStore, index: LoreIndex, worlds: Worlds) -> Removal:
    return Removal(state, index, worlds, (Characters(state), Conversations(state)))


async def test_a_world_comes_back_as_it_was_given(worlds: Worlds) -> None:
    stored, created = await worlds.put(SALTMARSH)

    assert created
    assert await worlds.get("saltmarsh") == stored == replace(SALTMARSH, version=1)


async def test_a_world_has_an_empty_index_of_todays_embedder_from_its_first_moment(
    worlds: Worlds, index: LoreIndex
) -> None:
    await worlds.put(SALTMARSH)
    pointer = await worlds.pointer("saltmarsh")

    assert (pointer.live, pointer.building) == (IndexRef("lore_1", "letters", "pt"), None)
    assert (await index.search("lore_1", Query(("bell",)))).document_count == 0


async def test_a_changed_world_keeps_its_index(worlds: Worlds) -> None:
    await worlds.put(SALTMARSH)
    changed, created = await worlds.put(replace(SALTMARSH, title="Salt"))

    assert (changed.version, created) == (2, False)
    assert (await worlds.pointer("saltmarsh")).live.name == "lore_1"


async def test_the_same_words_again_change_nothing(worlds: Worlds) -> None:
    await worlds.put(SALTMARSH)

    assert await worlds.put(SALTMARSH) == (replace(SALTMARSH, version=1), False)


async def test_of_two_writers_one_loses(worlds: Worlds) -> None:
    """With the same words too, and who expected none: the version is not the one that was read."""
    await worlds.put(SALTMARSH)
    await worlds.put(replace(SALTMARSH, title="Salt"), expected_version=1)
    for late in (SALTMARSH, replace(SALTMARSH, title="Salt")):
        for seen in (0, 1):
            with pytest.raises(VersionMismatch):
                await worlds.put(late, expected_version=seen)

    assert (await worlds.get("saltmarsh")).title == "Salt"


async def test_worlds_are_listed_by_id_past_a_cursor(worlds: Worlds) -> None:
    for name in ("c", "a", "b"):
        await worlds.put(World(name, name))

    assert [world.id for world in await worlds.list(after="a", limit=1)] == ["b"]
    assert [world.id for world in await worlds.list()] == ["a", "b", "c"]


async def test_a_world_that_is_deleted_is_gone_with_its_indexes(
    worlds: Worlds, removal: Removal, index: LoreIndex, state: StateStore
) -> None:
    """The one that was being built too."""
    await worlds.put(SALTMARSH)
    pointer = await worlds.pointer("saltmarsh")
    await worlds.move("saltmarsh", replace(pointer, building=await worlds.new_index("pt")))
    await removal.remove("saltmarsh")

    for name in ("lore_1", "lore_2"):
        with pytest.raises(NotFound):
            await index.search(name, Query())
    with pytest.raises(NotFound):
        await worlds.get("saltmarsh")
    assert await state.get(POINTER, "saltmarsh") is None


async def test_a_world_that_somebody_has_changed_is_not_deleted(
    worlds: Worlds, removal: Removal, index: LoreIndex
) -> None:
    await worlds.put(SALTMARSH)
    await worlds.put(replace(SALTMARSH, title="Salt"))
    with pytest.raises(VersionMismatch):
        await removal.remove("saltmarsh", expected_version=1)

    assert (await worlds.get("saltmarsh")).title == "Salt"
    assert (await index.search("lore_1", Query())).document_count == 0


async def test_of_two_that_move_a_pointer_one_loses(worlds: Worlds) -> None:
    await worlds.put(SALTMARSH)
    pointer = await worlds.pointer("saltmarsh")
    moved = await worlds.move("saltmarsh", replace(pointer, building=IndexRef("lore_9", "")))
    with pytest.raises(VersionMismatch):
        await worlds.move("saltmarsh", replace(pointer, live=IndexRef("lore_8", "")))

    assert await worlds.pointer("saltmarsh") == moved
    assert [each.name for each in moved.written] == ["lore_1", "lore_9"]


async def test_a_world_that_is_not_there_is_not_found(worlds: Worlds, removal: Removal) -> None:
    for asked in (worlds.get, worlds.pointer, removal.remove):
        with pytest.raises(NotFound):
            await asked("nowhere")


async def test_nothing_is_written_into_a_world_that_is_gone(
    worlds: Worlds, removal: Removal, state: StateStore
) -> None:
    """Not by one who had read it before, and not into the next world of that name."""
    characters, conversations = Characters(state), Conversations(state)
    talk = Conversation("conv_1", "saltmarsh", "guard", "p1", is_new=True)
    await worlds.put(SALTMARSH)
    await removal.remove("saltmarsh")

    with pytest.raises(NotFound):
        await characters.put("saltmarsh", Character("guard", "Joss"))
    with pytest.raises(NotFound):
        await conversations.record(talk, a_turn())
    await worlds.put(SALTMARSH)
    assert await characters.list("saltmarsh") == []
    assert await conversations.list("saltmarsh", Criteria()) == []


async def test_a_removal_that_a_crash_cut_off_is_finished_before_the_world_is_made_anew(
    worlds: Worlds, removal: Removal, index: LoreIndex, state: StateStore
) -> None:
    """Until then nobody can make it."""
    characters = Characters(state)
    await worlds.put(SALTMARSH)
    await characters.put("saltmarsh", Character("guard", "Joss"))
    await worlds.hide("saltmarsh")

    with pytest.raises(ConflictError, match="being deleted"):
        await worlds.put(SALTMARSH)
    await removal.finish_all()
    await worlds.put(SALTMARSH)

    assert await characters.list("saltmarsh") == []
    with pytest.raises(NotFound):
        await index.search("lore_1", Query())


async def test_a_removal_that_comes_late_leaves_the_next_world_alone(
    worlds: Worlds, removal: Removal, state: StateStore
) -> None:
    """Another replica had finished it, and the world was made anew."""
    characters = Characters(state)
    await worlds.put(SALTMARSH)
    await removal.remove("saltmarsh")
    await worlds.put(SALTMARSH)
    await characters.put("saltmarsh", Character("guard", "Joss"))

    with pytest.raises(NotFound):
        await characters.delete_all("saltmarsh", Require(REMOVAL, "saltmarsh"))

    assert len(await characters.list("saltmarsh")) == 1
