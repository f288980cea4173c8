"""Whose line it is that a model writes: this character's, the player's, a narrator's or somebody else's."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

_LABELS: Final = ("npc", "character", "assistant", "ai", "bot", "speaker", "response", "reply")
_PLAYERS: Final = (
    *("player", "user", "human", "traveler", "traveller", "игрок", "玩家", "用户", "旅人", "プレイヤー", "플레이어"),
)
_NARRATORS: Final = (
    *("narrator", "narration", "system", "scene", "stage direction", "ooc", "erzähler", "narrateur", "narrador"),
    *("narratore", "рассказчик", "旁白", "系统", "ナレーター", "ナレーション", "해설"),
)
_ORDINARY_WORDS = """
    advice aha ah ale answer attention aye behold beware bread careful caution clue cost danger deal example exactly
    fact fair final first firstly five four gods good greetings hail halt hark hear hey hint hmm hold indeed last
    law lesson listen lo look mark mind moral motto news no now oath offer oh okay one order payment plain please
    point price prices promise proof proverb question quick quiet reason remember result reward right riddle rule
    rules rumor rumour saying second secondly secret see so speak ten terms then therefore think third thirdly three
    tip today tonight tomorrow true truth two understand verdict wait warning watch well why word words yes
"""
_ORDINARY: Final = frozenset(_ORDINARY_WORDS.split())
"""What stands before a colon without being anybody's name."""

_SPEAKER: Final = re.compile(r"[*_\"'“‘«„]*([^\W_][\w'’.-]*(?: [^\W_][\w'’.-]*){0,2})[*_]*:(?! ?\d) ?(.*)", re.DOTALL)
_PARTICLES: Final = frozenset({"of", "the", "de", "la", "von", "van"})

_OPENING: Final = r"[\s\"'“‘«„「*_]*(?:(?:the|der|die|das|le|la|el|il|lo|o|a|de|het) )?"
_CLOSING: Final = (
    r"(?:(?:['’]s)? (?:says?|said|replie[sd]|answers?|asks?|reply|response|line))?[\"'”’»」*_]*\s*[:：]+[*_]*"
)
_TITLE: Final = r"(?:(?-i:[^\W\d_a-z])[^\W\d_]*\.? ){0,2}"
_DASH: Final = r" [—–-]+ (?!(?-i:[a-zß-öø-ÿа-я]))"
_ONLY_QUOTATION: Final = "(?=[「『｢﹁﹃“][^」』｣﹂﹄”]*[」』｣﹂﹄”]?$)"


@lru_cache(maxsize=256)
def own_label(names: tuple[str, ...]) -> re.Pattern[str]:
    """The speaker's name at the start of a line: before a colon, a dash, or nothing but a quotation."""
    known = _known_as(names)
    called = f"(?:{_either(known)})" if known else r"(?!)"
    generic = _either([*known, *_LABELS])
    return re.compile(
        rf"(?im)^(?:{_OPENING}(?:{_TITLE}{called}|(?:{generic})){_CLOSING}|{called}(?:{_DASH}|{_ONLY_QUOTATION}))"
    )


@lru_cache(maxsize=256)
def others_labels(names: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """How a line of the player begins, and one of a narrator."""
    own = set(map(str.casefold, _known_as(names)))
    players, narrators = (_either(set(words) - own) for words in (_PLAYERS, _NARRATORS))
    return (
        re.compile(rf"(?i){_OPENING}(?:{players}){_CLOSING}"),
        re.compile(rf"(?i){_OPENING}(?:{narrators}){_CLOSING}"),
    )


def names_a_speaker(line: str) -> bool:
    """Whether somebody's name stands before a colon, and no word such as "Remember" or "Ale": a sentence follows."""
    if not (found := _SPEAKER.fullmatch(line)):
        return False
    name, said = found.groups()
    words = [word for word in name.split() if word not in _PARTICLES]
    named = all(word[0].isupper() and word.casefold().strip(".") not in _ORDINARY for word in words)
    return named and (not said[:1].islower() or said.endswith("?"))


def _known_as(names: tuple[str, ...]) -> list[str]:
    """Models shorten a name to some of its words."""
    return [part for name in names for part in _parts(name.split()) if len(part) > 1]


def _parts(words: Sequence[str]) -> list[str]:
    """Every run of the words, as written."""
    ends = range(1, len(words) + 1)
    return [" ".join(words[start:end]) for end in ends for start in range(end)]


def _either(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))
