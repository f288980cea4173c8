"""Characters and their versions, on the real state store."""

import asyncio
from dataclasses import replace

import pytest

from llmops_api.core.characters import CHARACTER_VERSION, Character, Characters, Knowledge
from llmops_api.core.worlds import WORLD, inside
from llmops_api.errors import NotFound, VersionMismatch
from llmops_api.ports.lore_index import Filter
from llmops_api.ports.state import Put, StateStore

GUARD = Character("guard", "Joss", knowledge=Knowledge(tags=("common",)), fallback_lines=("Hm.", "Not now."))


@pytest.fixture
async def characters(state: StateStore) -> Characters:
    await state.write(Put(WORLD, "w", {}), Put(WORLD, "w2", {}))
    return Characters(state)


async def test_a_character_comes_back_as_it_was_given(characters: Characters) -> None:
    stored, created = await characters.put("w", GUARD)
    found = await characters.get("w", "guard")

    assert created
    assert found == stored
    assert replace(found, version=0, updated_at=None) == GUARD


async def test_the_same_content_keeps_its_version(characters: Characters) -> None:
    first, _ = await characters.put("w", GUARD)
    again, created = await characters.put("w", GUARD)

    assert (again.version, created) == (first.version, False)


async def test_every_version_can_still_be_read(characters: Characters) -> None:
    for mood in ("calm", "cross", "tired"):
        await characters.put("w", replace(GUARD, personality=mood))
    numbers = [each.version for each in await characters.versions("w", "guard")]
    moods = [(await characters.get("w", "guard", version=number)).personality for number in numbers]

    assert moods == ["tired", "cross", "calm"]
    assert numbers == sorted(numbers, reverse=True)


async def test_versions_come_in_pages(characters: Characters) -> None:
    for mood in ("calm", "cross", "tired"):
        await characters.put("w", replace(GUARD, personality=mood))
    newest, *_ = await characters.versions("w", "guard", limit=1)
    older = await characters.versions("w", "guard", before=newest.version, limit=1)

    assert [each.version for each in older] == [newest.version - 1]


async def test_of_two_writers_who_saw_the_same_version_one_wins(characters: Characters) -> None:
    seen, _ = await characters.put("w", GUARD)
    await characters.put("w", replace(GUARD, personality="cross"), expected_version=seen.version)

    with pytest.raises(VersionMismatch):
        await characters.put("w", replace(GUARD, personality="calm"), expected_version=seen.version)
    with pytest.raises(VersionMismatch):
        await characters.delete("w", "guard", expected_version=seen.version)


async def test_a_stale_version_is_refused_even_when_nothing_would_change(characters: Characters) -> None:
    await characters.put("w", GUARD)

    with pytest.raises(VersionMismatch):
        await characters.put("w", GUARD, expected_version=7)


async def test_writers_who_expect_nothing_all_get_through_and_no_version_is_lost(characters: Characters) -> None:
    moods = {"calm", "cross", "tired"}
    await asyncio.gather(*(characters.put("w", replace(GUARD, personality=mood)) for mood in moods))
    versions = await characters.versions("w", "guard")
    kept = [(await characters.get("w", "guard", version=each.version)).personality for each in versions]

    assert set(kept) == moods
    assert len(kept) == len(moods)


async def test_a_deleted_character_is_gone_with_its_versions(characters: Characters, state: StateStore) -> None:
    await characters.put("w", GUARD)
    await characters.put("w", replace(GUARD, personality="cross"))
    await characters.delete("w", "guard")

    with pytest.raises(NotFound):
        await characters.get("w", "guard")
    with pytest.raises(NotFound):
        await characters.delete("w", "guard")
    assert await state.list(CHARACTER_VERSION) == []


async def test_one_world_does_not_see_the_characters_of_another(characters: Characters) -> None:
    await characters.put("w", GUARD)
    await characters.put("w2", replace(GUARD, id="host"))

    assert [each.id for each in await characters.list("w")] == ["guard"]
    with pytest.raises(NotFound):
        await characters.get("w2", "guard")


async def test_deleting_all_of_a_world_leaves_the_others(characters: Characters) -> None:
    for world in ("w", "w2"):
        await characters.put(world, GUARD)
        await characters.put(world, replace(GUARD, personality="cross"))
    await characters.delete_all("w", inside("w"))

    assert await characters.list("w") == []
    assert len(await characters.versions("w2", "guard")) == 2


async def test_a_list_goes_on_after_an_id(characters: Characters) -> None:
    for name in ("a", "b", "c"):
        await characters.put("w", replace(GUARD, id=name))

    assert [each.id for each in await characters.list("w", after="a", limit=1)] == ["b"]


def test_knowledge_is_a_tag_or_a_kind_or_an_id() -> None:
    known = Knowledge(tags=("common",), kinds=("place",), document_ids=("item/lamp",)).filter
    parts = (
        Filter(tags_any=frozenset({"common"})),
        Filter(kinds=frozenset({"place"})),
        Filter(document_ids=frozenset({"item/lamp"})),
    )

    assert known == Filter(any_of=parts)


def test_no_knowledge_given_is_the_whole_world() -> None:
    assert Knowledge().filter == Filter()


def test_placeholders_of_a_card_are_filled_in_for_the_model_alone() -> None:
    card = {"name": "Joss \\1", "greeting": "I am {{Char}}, {{user}}.", "voice": {"style": "As <BOT> does."}}
    character = Character.of_card("guard", card)

    assert character.staged.greeting == "I am Joss \\1, the player."
    assert character.staged.voice == "As Joss \\1 does."
    assert character.greeting == card["greeting"]


@pytest.mark.parametrize(
    ("spoken", "asked", "answered"),
    [((), "fr", "fr"), (("en", "de"), "de-AT", "de-AT"), (("en", "de"), "fr", "en"), (("pt-BR",), "PT_pt", "PT_pt")],
)
def test_a_character_answers_in_a_language_that_it_speaks(spoken: tuple[str, ...], asked: str, answered: str) -> None:
    assert replace(GUARD, locales=spoken).language(asked) == answered
