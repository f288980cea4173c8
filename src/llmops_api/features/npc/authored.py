"""Lines that somebody wrote: what a character says when no model speaks for it, never the same one twice in a row."""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.resources import files

from llmops_api.core.characters import Character
from llmops_api.core.conversations import Listener, Reason
from llmops_api.core.terms import language_of

LISTENERS = 10_000
"""How many are remembered here besides the store, for turns that overlap; some 300 bytes each."""


class Purpose(StrEnum):
    FALLBACK = "fallback"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, reason: Reason) -> "Purpose":
        return cls.UNKNOWN if reason is Reason.NOT_IN_LORE else cls.FALLBACK


class AuthoredLines:
    """Chooses among a character's lines, and among plain ones in its language when it has none left.

    `defaults` is by language code, then by purpose, at least five lines each; English is always there.
    """

    def __init__(self, defaults: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        self._defaults = defaults
        self._recent: OrderedDict[str, Mapping[str, str]] = OrderedDict()

    @classmethod
    def of_package(cls) -> "AuthoredLines":
        """With the default lines that ship with this service."""
        return cls(json.loads((files("llmops_api") / "prompts" / "authored_lines.json").read_text("utf-8")))

    def choose(
        self, purpose: Purpose, character: Character, locale: str, listener: Listener, stored: Mapping[str, str]
    ) -> tuple[str, Mapping[str, str]]:
        """The next line, and what to remember of it. `stored` is what the listener heard last as the store knows it.

        The store alone does not do: two turns of one player at the same time would read the same.
        """
        recent = self._recent.get(listener.key, {})
        last = recent.get(purpose) or stored.get(purpose, "")
        heard = {*recent.values(), *stored.values()}
        own = character.unknown_lines if purpose is Purpose.UNKNOWN else character.fallback_lines
        defaults = self._defaults.get(language_of(locale), self._defaults["en"])[purpose]
        line = _next(own, last, heard) or _next(defaults, last, heard) or defaults[0]
        said = {**stored, **recent, purpose.value: line}
        self._remember(listener.key, said)
        return line, said

    def _remember(self, key: str, said: Mapping[str, str]) -> None:
        self._recent[key] = said
        self._recent.move_to_end(key)
        if len(self._recent) > LISTENERS:
            self._recent.popitem(last=False)


def _next(lines: Sequence[str], last: str, heard: set[str]) -> str | None:
    """In their order, beginning after the last one, so that a line comes back as late as can be."""
    start = lines.index(last) + 1 if last in lines else 0
    return next((line for line in (*lines[start:], *lines[:start]) if line not in heard), None)
