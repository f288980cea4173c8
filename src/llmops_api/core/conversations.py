"""Conversations: what was said between a player and a character, one whole turn at a time, never half of one."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from llmops_api.core.characters import CHARACTER
from llmops_api.core.worlds import inside
from llmops_api.errors import NotFound
from llmops_api.ports.state import Append, Change, Delete, Erase, Event, Put, Record, Require, StateStore

CONVERSATION = "conversation"
"""What never changes of each, under `world/conversation`; its turns are the stream of the same name."""
_INDEXES = {
    "player_id": "conversation-by-player",
    "save_id": "conversation-by-save",
    "character": "conversation-by-character",
}
"""The same once more under `world/digest/conversation`, narrowest first, so that a listing reads no one else's."""
LAST_AUTHORED = "last-authored-line"
"""What a character said last to a player from its authored lines, under `world/character/digest of the player`."""
_PAGE = 200


class SpokenBy(StrEnum):
    MODEL = "model"
    CACHE = "cache"
    BARK = "bark"
    AUTHORED = "authored"


class Reason(StrEnum):
    """Why the line is not, or not wholly, what a model would have said."""

    DEADLINE = "deadline"
    UPSTREAM = "upstream"
    BUDGET = "budget"
    NOT_IN_LORE = "not_in_lore"
    GUARDED = "guarded"


@dataclass(frozen=True, slots=True)
class Conversation:
    """`is_new`: nothing of it is stored yet; its first turn will store it."""

    id: str
    world_id: str
    character: str
    player_id: str
    save_id: str = ""
    created_at: str = ""
    is_new: bool = False

    @classmethod
    def of(cls, record: Record) -> "Conversation":
        world_id, *_, conversation_id = record.key.split("/")
        return cls(conversation_id, world_id, **record.value)

    @property
    def key(self) -> str:
        return f"{self.world_id}/{self.id}"

    @property
    def stream(self) -> str:
        return f"{CONVERSATION}/{self.key}"

    @property
    def fields(self) -> dict[str, str]:
        """The record's value."""
        names = ("character", "player_id", "save_id", "created_at")
        return {name: getattr(self, name) for name in names}

    @property
    def index_keys(self) -> dict[str, str]:
        """Where it is listed: the key for each kind of index record."""
        named = {kind: getattr(self, name) for name, kind in _INDEXES.items()}
        return {kind: f"{_index_prefix(self.world_id, word)}{self.id}" for kind, word in named.items() if word}


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange. The mappings are as they go over the wire; `text` is the sentences as they were sent, joined.

    `cancelled`: the client left, and `text` is the part that had been sent to it.
    """

    turn_id: str
    line_id: str
    player_text: str
    text: str
    sentences: tuple[str, ...]
    spoken_by: SpokenBy
    reason: Reason | None
    locale: str
    citations: tuple[Mapping[str, Any], ...]
    versions: Mapping[str, Any]
    model: Mapping[str, Any] | None
    usage: Mapping[str, Any]
    cost: Mapping[str, Any] | None
    timing: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    cancelled: bool = False
    position: int = 0
    recorded_at: datetime | None = None

    @classmethod
    def of(cls, event: Event) -> "Turn":
        value = {
            **event.value,
            "sentences": tuple(event.value["sentences"]),
            "citations": tuple(event.value["citations"]),
            "spoken_by": SpokenBy(event.value["spoken_by"]),
            "reason": Reason(event.value["reason"]) if event.value["reason"] else None,
        }
        return cls(**value, position=event.position, recorded_at=event.recorded_at)

    @property
    def fields(self) -> dict[str, Any]:
        """The event's value, as JSON."""
        value = asdict(self) | {"sentences": list(self.sentences), "citations": list(self.citations)}
        del value["position"], value["recorded_at"]
        return value


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which conversations to list; what is empty does not matter."""

    player_id: str = ""
    save_id: str = ""
    character: str = ""

    def allow(self, conversation: Conversation) -> bool:
        return all(not word or getattr(conversation, name) == word for name, word in asdict(self).items())

    def index(self, world_id: str) -> tuple[str, str]:
        """The kind of record and the prefix of the keys that hold the fewest others."""
        for name, kind in _INDEXES.items():
            if getattr(self, name):
                return kind, _index_prefix(world_id, getattr(self, name))
        return CONVERSATION, f"{world_id}/"


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears a character, in whichever conversation."""

    world_id: str
    character: str
    player_id: str

    @property
    def key(self) -> str:
        return f"{self.world_id}/{self.character}/{digest(self.player_id)}"

    def heard(self, said: Mapping[str, str]) -> Put:
        """The change that remembers the authored lines this listener heard last."""
        return Put(LAST_AUTHORED, self.key, said)


class Conversations:
    """The conversations of all worlds: unchanging records, and a stream of turns each."""

    def __init__(self, state: StateStore) -> None:
        self._state = state

    async def get(self, world_id: str, conversation_id: str) -> Conversation:
        """Raises `NotFound`."""
        record = await self._state.get(CONVERSATION, f"{world_id}/{conversation_id}")
        if record is None:
            raise NotFound("There is no such conversation in this world.")
        return Conversation.of(record)

    async def record(self, conversation: Conversation, turn: Turn, *also: Change) -> None:
        """Add a turn at the end, with whatever else must be stored with it; a new conversation begins to exist.

        Turns of one conversation may be recorded at the same time; none is lost. Raises `NotFound` when the
        conversation, or its world, was deleted meanwhile: it stays deleted.
        """
        opening = _opening(conversation) if conversation.is_new else [Require(CONVERSATION, conversation.key)]
        added = Append(conversation.stream, (turn.fields,))
        await self._state.write(inside(conversation.world_id), *opening, added, *also)

    async def history(self, conversation: Conversation, limit: int) -> list[Turn]:
        """The last `limit` turns, oldest first."""
        if limit < 1 or conversation.is_new:
            return []
        events = await self._state.read(conversation.stream, limit=limit, newest_first=True)
        return [Turn.of(event) for event in reversed(events)]

    async def turns(self, conversation: Conversation, *, after: int = 0, limit: int = 100) -> list[Turn]:
        """The turns past the position `after`, oldest first."""
        return [Turn.of(event) for event in await self._state.read(conversation.stream, after=after, limit=limit)]

    async def last_turn(self, conversation: Conversation) -> Turn | None:
        """The newest turn; its position is the number of turns."""
        return next(iter(await self.history(replace(conversation, is_new=False), 1)), None)

    async def last_authored(self, listener: Listener) -> Mapping[str, str]:
        """What `Listener.heard` remembered; empty at first."""
        record = await self._state.get(LAST_AUTHORED, listener.key)
        return record.value if record else {}

    async def delete(self, world_id: str, conversation_id: str) -> None:
        """Remove a conversation with its turns. Raises `NotFound`."""
        await self._state.write(*_removal(await self.get(world_id, conversation_id)))

    async def delete_all(self, world_id: str, meanwhile: Require) -> None:
        """Remove the conversations of a world that is gone from sight (`core/removal.py`)."""
        while records := await self._state.list(CONVERSATION, prefix=f"{world_id}/", limit=_PAGE):
            removals = (each for record in records for each in _removal(Conversation.of(record)))
            await self._state.write(*removals, meanwhile)
        while records := await self._state.list(LAST_AUTHORED, prefix=f"{world_id}/", limit=_PAGE):
            await self._state.write(*(Delete(LAST_AUTHORED, record.key, forget=True) for record in records), meanwhile)

    async def list(self, world_id: str, criteria: Criteria, *, after: str = "", limit: int = 100) -> list[Conversation]:
        """Those that fit, by id, past the id `after`."""
        kind, prefix = criteria.index(world_id)
        found: list[Conversation] = []
        start = f"{prefix}{after}" if after else ""
        while len(found) < limit:
            records = await self._state.list(kind, prefix=prefix, after=start, limit=_PAGE)
            found += [each for each in map(Conversation.of, records) if criteria.allow(each)]
            if len(records) < _PAGE:
                break
            start = records[-1].key
        return found[:limit]


def digest(word: str) -> str:
    """A player's or save's id as a part of a key: any characters in, 32 harmless ones out."""
    return hashlib.blake2b(word.encode(), digest_size=16).hexdigest()


def _index_prefix(world_id: str, word: str) -> str:
    return f"{world_id}/{digest(word)}/"


def _opening(conversation: Conversation) -> list[Change]:
    # The world of this name may be another by now: there the character is not, or is one that a player may talk to.
    character = Require(CHARACTER, f"{conversation.world_id}/{conversation.character}")
    record = Put(CONVERSATION, conversation.key, conversation.fields, 0)
    return [character, record, *(Put(kind, key, conversation.fields) for kind, key in conversation.index_keys.items())]


def _removal(conversation: Conversation) -> list[Change]:
    # Its id never comes back, so neither do these keys.
    listed = [Delete(kind, key, forget=True) for kind, key in conversation.index_keys.items()]
    return [Delete(CONVERSATION, conversation.key, forget=True), *listed, Erase(conversation.stream)]
