"""Characters: who speaks, what they may know, and every version of them that ever spoke."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from llmops_api.core.terms import language_of
from llmops_api.core.worlds import inside
from llmops_api.errors import NotFound, VersionMismatch
from llmops_api.ports.lore_index import Filter
from llmops_api.ports.state import Delete, Put, Record, Require, StateStore

CHARACTER = "character"
"""The current version of each, under `world/character`."""
CHARACTER_VERSION = "character-version"
"""The replaced ones, under `world/character/version`: filed by the very write that replaces them."""
_RACES = 5
_PAGE = 1000
_CHARACTER_MACRO = re.compile(r"\{\{char\}\}|<BOT>", re.IGNORECASE)
_PLAYER_MACRO = re.compile(r"\{\{user\}\}|<USER>", re.IGNORECASE)
"""The placeholders of Character Card V1 to V3, in any case."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The lore that a character knows: a document of one of these tags, kinds or ids. All empty: the whole world's."""

    tags: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    document_ids: tuple[str, ...] = ()

    @property
    def filter(self) -> Filter:
        """The same as a filter of the lore index, so that what is not known never leaves the store."""
        parts = []
        if self.tags:
            parts.append(Filter(tags_any=frozenset(self.tags)))
        if self.kinds:
            parts.append(Filter(kinds=frozenset(self.kinds)))
        if self.document_ids:
            parts.append(Filter(document_ids=frozenset(self.document_ids)))
        return Filter(any_of=tuple(parts))


@dataclass(frozen=True, slots=True)
class Character:
    """Character Card words, and ours. `voice` describes the manner of speech.

    `fallback_lines` are said when no model answers, `unknown_lines` when the lore does not hold what was asked.
    `locales` are the language tags that the character speaks, all when empty.
    """

    id: str
    name: str
    description: str = ""
    personality: str = ""
    scenario: str = ""
    greeting: str = ""
    example_dialogue: str = ""
    tags: tuple[str, ...] = ()
    knowledge: Knowledge = field(default_factory=Knowledge)
    fallback_lines: tuple[str, ...] = ()
    unknown_lines: tuple[str, ...] = ()
    voice: str = ""
    locales: tuple[str, ...] = ()
    version: int = 0
    updated_at: datetime | None = None

    @classmethod
    def of(
        cls, character_id: str, value: Mapping[str, Any], version: int = 0, updated_at: datetime | None = None
    ) -> "Character":
        """A character from what `fields` gave."""
        words: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in value.items()}
        words["knowledge"] = Knowledge(**{name: tuple(each) for name, each in value["knowledge"].items()})
        return cls(id=character_id, version=version, updated_at=updated_at, **words)

    @classmethod
    def of_card(cls, character_id: str, card: Mapping[str, Any]) -> "Character":
        """A character in the words of the wire, where `voice` is an object."""
        value = {**card, "knowledge": card.get("knowledge", {}), "voice": card.get("voice", {}).get("style", "")}
        return cls.of(character_id, value)

    @property
    def staged(self) -> "Character":
        """The same with the card's placeholders filled in: how a model should read it."""
        names = ("description", "personality", "scenario", "greeting", "example_dialogue", "voice")
        words: dict[str, Any] = {name: self._filled(getattr(self, name)) for name in names}
        return replace(self, **words)

    def _filled(self, text: str) -> str:
        return _CHARACTER_MACRO.sub(lambda _: self.name, _PLAYER_MACRO.sub("the player", text))

    @property
    def fields(self) -> dict[str, Any]:
        """What a writer gave, as JSON."""
        written = asdict(self)
        for name in ("id", "version", "updated_at"):
            del written[name]
        return {name: _as_json(each) for name, each in written.items()}

    @property
    def persona(self) -> str:
        """Who the character is, in the writer's words, for whoever must tell what a question is about."""
        parts = (self.name, self.description, self.personality, self.scenario, self.greeting)
        return "\n".join(part for part in parts if part)

    def language(self, locale: str) -> str:
        """`locale` when the character speaks its language, else the first that it does speak."""
        spoken = {language_of(each) for each in self.locales}
        return locale if not spoken or language_of(locale) in spoken else self.locales[0]


@dataclass(frozen=True, slots=True)
class CharacterVersion:
    """A version, and when it was written."""

    version: int
    updated_at: datetime


class Characters:
    """The characters of all worlds as records of the state store."""

    def __init__(self, state: StateStore) -> None:
        self._state = state

    async def put(
        self, world_id: str, character: Character, *, expected_version: int | None = None
    ) -> tuple[Character, bool]:
        """Create or replace; the character as stored, and whether it is new. Unchanged content keeps its version.

        Raises `VersionMismatch` when `expected_version` is not the current one (0: there must be none).
        """
        for _ in range(_RACES):
            current = await self._state.get(CHARACTER, _key(world_id, character.id))
            _require(current, expected_version)
            if current and current.value == character.fields:
                return _character(current), False
            try:
                replacement = _replacement(_key(world_id, character.id), character, current)
                version, *_ = await self._state.write(*replacement, inside(world_id))
            except VersionMismatch:
                continue
            return await self.get(world_id, character.id, version=version), current is None
        raise VersionMismatch("Other writers were always first; read the character and try again.")

    async def get(self, world_id: str, character_id: str, *, version: int | None = None) -> Character:
        """The current version, or the one named. Raises `NotFound`."""
        record = await self._state.get(CHARACTER, _key(world_id, character_id))
        if record is None:
            raise NotFound("There is no such character in this world.")
        if version is None or version == record.version:
            return _character(record)
        replaced = await self._state.get(CHARACTER_VERSION, _version_key(record.key, version))
        if replaced is None:
            raise NotFound("The character has no such version.")
        written = datetime.fromisoformat(replaced.value["updated_at"])
        return Character.of(character_id, replaced.value["character"], version, written)

    async def delete(self, world_id: str, character_id: str, *, expected_version: int | None = None) -> None:
        """Remove the character with all its versions. Raises `NotFound`, `VersionMismatch`."""
        key = _key(world_id, character_id)
        for _ in range(_RACES):
            current = await self._state.get(CHARACTER, key)
            if current is None:
                raise NotFound("There is no such character in this world.")
            _require(current, expected_version)
            replaced = await self._state.list(CHARACTER_VERSION, prefix=f"{key}/", limit=current.version)
            versions = [Delete(CHARACTER_VERSION, each.key, forget=True) for each in replaced]
            try:
                await self._state.write(Delete(CHARACTER, key, current.version), *versions)
            except VersionMismatch:
                continue
            return
        raise VersionMismatch("Other writers were always first; read the character and try again.")

    async def delete_all(self, world_id: str, meanwhile: Require) -> None:
        """Remove the characters of a world that is gone from sight (`core/removal.py`)."""
        for kind in (CHARACTER, CHARACTER_VERSION):
            while records := await self._state.list(kind, prefix=f"{world_id}/", limit=_PAGE):
                await self._state.write(*(Delete(kind, record.key) for record in records), meanwhile)

    async def versions(
        self, world_id: str, character_id: str, *, before: int | None = None, limit: int = 100
    ) -> list[CharacterVersion]:
        """The versions below `before`, newest first. Raises `NotFound`."""
        current = await self.get(world_id, character_id)
        assert current.updated_at is not None
        written = {current.version: current.updated_at}
        prefix = f"{_key(world_id, character_id)}/"
        for record in await self._state.list(CHARACTER_VERSION, prefix=prefix, limit=current.version):
            written[int(record.key.removeprefix(prefix))] = datetime.fromisoformat(record.value["updated_at"])
        numbers = sorted((each for each in written if before is None or each < before), reverse=True)
        return [CharacterVersion(each, written[each]) for each in numbers[:limit]]

    async def list(self, world_id: str, *, after: str = "", limit: int = 100) -> list[Character]:
        """By id, past the id `after`."""
        start = _key(world_id, after) if after else ""
        records = await self._state.list(CHARACTER, prefix=f"{world_id}/", after=start, limit=limit)
        return [_character(record) for record in records]


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_json(each) for name, each in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _key(world_id: str, character_id: str) -> str:
    return f"{world_id}/{character_id}"


def _version_key(key: str, version: int) -> str:
    return f"{key}/{version:010}"


def _character(record: Record) -> Character:
    return Character.of(record.key.rpartition("/")[2], record.value, record.version, record.updated_at)


def _require(current: Record | None, expected_version: int | None) -> None:
    if expected_version is not None and expected_version != (current.version if current else 0):
        raise VersionMismatch("The character has another version by now; read it again.")


def _replacement(key: str, character: Character, current: Record | None) -> list[Put | Delete]:
    """The new version, and the old one filed under its number: both or neither."""
    if current is None:
        return [Put(CHARACTER, key, character.fields, 0)]
    return [
        Put(CHARACTER, key, character.fields, current.version),
        filed(key, current.version, current.value, current.updated_at),
    ]


def filed(key: str, version: int, value: Mapping[str, Any], updated_at: datetime) -> Put:
    """The change that keeps a replaced version of the character at `key`, and when it was written."""
    return Put(
        CHARACTER_VERSION, _version_key(key, version), {"character": value, "updated_at": updated_at.isoformat()}
    )
