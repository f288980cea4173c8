"""Takes out of a stream what a character does and does not say: *nods*, (sighs), [looks away], <think>, markup.

Emphasis is speech: "I *never* said that". Bold text is speech too. What is removed leaves one space. The result does
not depend on how the text was cut into deltas.
"""

import re
from typing import Final

MAX_CHARS: Final = 240
"""So much is held back behind an opening bracket or star that is not closed. A longer one is no direction: it is
speech, and only the mark goes. When the line or the text ends first, a direction was left open: it all goes."""

_OPENING: Final = re.compile(r"\*+|_+|[(\[（【［<]")
_CLOSING: Final = {"(": ")", "[": "]", "（": "）", "【": "】", "［": "］"}
_NEWLINE: Final = re.compile(r"[\n\r\u2028\u2029]")
_EMOTICON: Final = re.compile(r"(?:^|\s)[:;=]-?$")
_TAG: Final = re.compile(r"<\|?(/?)([A-Za-z]\w{0,30})(?:[^\w<>\n][^<>\n]{0,80})?>")
_BEGUN_TAG: Final = re.compile(r"<\|?/?(?:[A-Za-z]\w{0,30}(?:[^\w<>\n][^<>\n]{0,80})?)?")
_THOUGHTS: Final = frozenset({"think", "thinking", "thought", "reasoning", "reflection", "scratchpad", "analysis"})
_PAGE: Final = frozenset(
    {"html", "head", "body", "div", "script", "style", "table", "ul", "li", "a", "img", "p", "svg"}
)
"""A web page is no speech at all: its tags stay, so that `is_nonsense` sees them."""

_IN_SENTENCE: Final = frozenset(",;:'’\"”—–-")
_GESTURES_ALONE = """
    bows chuckles clears coughs frowns gasps gestures giggles glances glares grins groans growls grunts hesitates hisses
    hums kneels laughs moans mumbles murmurs mutters nods pauses scoffs scowls shivers shrugs shudders sighs smiles smirks
    sniffs snorts sobs squints whispers whistles winces winks yawns asiente guiña ríe sonríe suspira susurra hoche rit
    soupire sourit lacht lächelt nickt seufzt вздыхает кивает смеётся смеется улыбается усмехается шепчет
"""
_MOVES_WITH_MORE_WORDS = """
    cries crosses eyes folds leans lifts looks lowers points pulls puts raises reaches rolls rubs shakes sings sits spits
    stands stares steps strokes takes tilts turns waves
"""
_GESTURES: Final = frozenset(_GESTURES_ALONE.split())
_MOVES: Final = frozenset(_MOVES_WITH_MORE_WORDS.split()) | {"he", "she", "his", "her", "they", "their"}
_UNSPACED_GESTURES: Final = re.compile("微笑|笑う|笑って|叹|歎|点头|點頭|摇头|搖頭|ため息|頷|うなず|囁|肩をすくめ")

_Verdict = tuple[str, int]
"""What stands for the text up to a place, and that place."""


class StageDirections:
    """Feed it a stream; it gives back what is left of it, as soon as that is certain."""

    def __init__(self) -> None:
        self._rest = ""
        self._before = ""

    def feed(self, delta: str) -> str:
        return self._take(delta, final=False)

    def flush(self) -> str:
        """The text has ended: whatever is left."""
        return self._take("", final=True)

    def _take(self, delta: str, *, final: bool) -> str:
        text, self._rest = self._rest + delta, ""
        left: list[str] = []
        at = 0
        while opening := _OPENING.search(text, at):
            self._leave(left, text[at : opening.start()])
            verdict = _verdict(text, opening, self._before, final=final)
            if verdict is None:
                self._rest = text[opening.start() :]
                return "".join(left)
            replacement, at = verdict
            self._leave(left, replacement)
        self._leave(left, text[at:])
        return "".join(left)

    def _leave(self, left: list[str], text: str) -> None:
        left.append(text)
        self._before = (self._before + text)[-8:]


def without_directions(text: str) -> str:
    """A whole text without them."""
    directions = StageDirections()
    return directions.feed(text) + directions.flush()


def _verdict(text: str, opening: re.Match[str], before: str, *, final: bool) -> _Verdict | None:
    mark = opening.group()
    if mark == "<":
        return _tag(text, opening.start(), final=final)
    if mark in _CLOSING:
        return _bracket(text, opening.end(), mark, before, final=final)
    return _starred(text, opening.end(), mark, before, final=final)


def _tag(text: str, start: int, *, final: bool) -> _Verdict | None:
    if tag := _TAG.match(text, start):
        name = tag[2].lower()
        if name in _PAGE:
            return tag[0], tag.end()
        if name in _THOUGHTS and not tag[1]:
            closing = re.compile(rf"</{name}>", re.IGNORECASE).search(text, tag.end())
            return (" ", closing.end()) if closing else (" ", len(text)) if final else None
        return " ", tag.end()
    if _BEGUN_TAG.fullmatch(text, start):
        if not final:
            return None
        if " " not in text[start:]:
            return " ", len(text)
    return "<", start + 1


def _bracket(text: str, start: int, mark: str, before: str, *, final: bool) -> _Verdict | None:
    if _EMOTICON.search(before):
        return mark, start
    depth = 1
    for at, character in enumerate(text[start : start + MAX_CHARS], start):
        if _NEWLINE.match(character):
            return " ", at
        depth += (character == mark) - (character == _CLOSING[mark])
        if depth == 0:
            return " ", at + 1
    if len(text) >= start + MAX_CHARS:
        return "", start
    return (" ", len(text)) if final else None


def _starred(text: str, start: int, mark: str, before: str, *, final: bool) -> _Verdict | None:
    if start == len(text) and not final:
        return None
    inside_word = mark[0] == "_" and before[-1:].isalnum()
    if inside_word or not text[start : start + 1].strip():
        return mark if inside_word else "", start
    star = re.escape(mark[0])
    closing = re.compile(rf"(?<![\s{star}]){star * len(mark)}(?![{star}])").search(text, start, start + MAX_CHARS)
    newline = _NEWLINE.search(text, start, closing.start() if closing else start + MAX_CHARS)
    if not closing or newline:
        return _unclosed(text, start, newline, mark, before, final=final)
    if closing.end() == len(text) and not final:
        return None
    return _closed(text, text[start : closing.start()], closing.end(), mark, before, final=final)


def _unclosed(
    text: str, start: int, newline: re.Match[str] | None, mark: str, before: str, *, final: bool
) -> _Verdict | None:
    too_long = not newline and len(text) >= start + MAX_CHARS
    if not (newline or too_long or final):
        return None
    if too_long or len(mark) == 2 or _in_sentence(before):
        return "", start
    return " ", newline.start() if newline else len(text)


def _closed(text: str, inner: str, end: int, mark: str, before: str, *, final: bool) -> _Verdict | None:
    if _is_deed(inner) or (len(mark) != 2 and len(inner.split()) > 3):
        return " ", end
    if len(mark) == 2 or _in_sentence(before):
        return without_directions(inner), end
    following = text[end:].lstrip(" \t")[:1]
    if not following and not final:
        return None
    emphasis = following.islower() or following in {",", ";", ":", "'", "’"}
    return without_directions(inner) if emphasis else " ", end


def _is_deed(inner: str) -> bool:
    words = [word.strip(".,!?…") for word in inner.casefold().split()]
    alone = not words or words[0] in _GESTURES or bool(_UNSPACED_GESTURES.search(inner))
    return alone or (len(words) > 1 and words[0] in _MOVES)


def _in_sentence(before: str) -> bool:
    last = before.rstrip(" \t")[-1:]
    return last.isalnum() or last in _IN_SENTENCE
