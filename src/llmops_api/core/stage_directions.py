"""Takes out of a stream what a character does and does not say: *nods*, (sighs), [looks away], ~waves~, /me bows, <tags>.

Emphasis is speech: "I *never* said that". Bold text is speech too. What is removed leaves one space; the head of a
turn in a chat template becomes the label of a line. The result does not depend on how the text was cut into deltas.
"""

import re
from typing import Final

MAX_CHARS: Final = 240
"""So much is held back behind an opening bracket or star that is not closed. A longer one is no direction: it is
speech, and only the mark goes. When the line or the text ends first, a direction was left open: it all goes."""

_SPELLINGS: Final = str.maketrans("＊∗✱✲⁎﹡｛｝﹛﹜∼˜", "******{}{}~~")
_CLOSING: Final = dict(zip("([{（【［〔〖﹝﹙❨❲⟨⟪⟦｟", ")]}）】］〕〗﹞﹚❩❳⟩⟫⟧｠", strict=True))
_NEWLINE: Final = re.compile(r"[\n\r\u2028\u2029]")
_OPENING: Final = re.compile(rf"\*+|_+|[<~/{re.escape(''.join(_CLOSING))}]")
_BRACKET: Final = re.compile(rf"[{re.escape(''.join([*_CLOSING, *_CLOSING.values()]))}\n\r\u2028\u2029]")
_EMOTICON: Final = re.compile(r"(?:^|\s)[:;=]-?$")
_TAG: Final = re.compile(r"<\|?(/?)([A-Za-z]\w{0,30})(?:[^\w<>\n][^<>\n]{0,80})?>")
_BEGUN_TAG: Final = re.compile(r"<\|?/?(?:[A-Za-z]\w{0,30}(?:[^\w<>\n][^<>\n]{0,80})?)?")
_TEMPLATES: Final = frozenset({"im_start", "start_header_id"})
_ROLES: Final = frozenset({"system", "user", "assistant"})
_ROLE: Final = re.compile(r"\s*([A-Za-z]{0,20})")
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
_LONGEST_GESTURE: Final = max(map(len, _GESTURES | _MOVES))
_LETTERS: Final = re.compile(r"[^\W\d_]*")
_UNSPACED_GESTURES: Final = re.compile("微笑|笑う|笑って|叹|歎|点头|點頭|摇头|搖頭|ため息|頷|うなず|囁|肩をすくめ")

_Verdict = tuple[str, int]
"""What stands for the text up to a place, and that place."""


class StageDirections:
    """Feed it a stream; it gives back what is left of it, as soon as that is certain."""

    def __init__(self) -> None:
        self._rest = ""
        self._before = ""
        self._brackets = _Brackets()

    def feed(self, delta: str) -> str:
        delta = delta.translate(_SPELLINGS)
        self._brackets.feed(delta)
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
            verdict = self._verdict(text, opening, final=final)
            if verdict is None:
                self._rest = text[opening.start() :]
                return "".join(left)
            replacement, at = verdict
            self._leave(left, replacement)
        self._leave(left, text[at:])
        return "".join(left)

    def _verdict(self, text: str, opening: re.Match[str], *, final: bool) -> _Verdict | None:
        mark, start = opening.group(), opening.end()
        if mark == "<":
            return _tag(text, start - 1, final=final)
        if mark == "/":
            return _emote(text, start, self._before, final=final)
        if mark == "~":
            return _waved(text, start, final=final)
        if mark not in _CLOSING:
            return _starred(text, start, mark, self._before, final=final)
        return _bracket(text, start, mark, self._before, self._brackets.end(text, start - 1), final=final)

    def _leave(self, left: list[str], text: str) -> None:
        left.append(text)
        self._before = (self._before + text)[-8:]


class _Brackets:
    """Where the brackets of a stream end: behind the closing one or before the new line. Each character is read once."""

    def __init__(self) -> None:
        self._read = 0
        self._open: dict[str, list[int]] = {closing: [] for closing in _CLOSING.values()}
        self._ends: dict[int, int] = {}

    def feed(self, delta: str) -> None:
        for found in _BRACKET.finditer(delta):
            mark, at = found.group(), self._read + found.start()
            if mark in _CLOSING:
                self._open[_CLOSING[mark]].append(at)
            elif mark not in self._open:
                self._end_line(at)
            elif unclosed := self._open[mark]:
                self._ends[unclosed.pop()] = at + 1
        self._read += len(delta)

    def end(self, text: str, at: int) -> int | None:
        """For the bracket at `text[at]`, `text` being the last of what was read; None while it is open."""
        offset = self._read - len(text)
        end = self._ends.get(offset + at)
        return None if end is None else end - offset

    def _end_line(self, at: int) -> None:
        for unclosed in filter(None, self._open.values()):
            self._ends.update(dict.fromkeys(unclosed, at))
            unclosed.clear()


def without_directions(text: str) -> str:
    """A whole text without them."""
    directions = StageDirections()
    return directions.feed(text) + directions.flush()


def _tag(text: str, start: int, *, final: bool) -> _Verdict | None:
    if tag := _TAG.match(text, start):
        return _whole_tag(text, tag, final=final)
    if _BEGUN_TAG.fullmatch(text, start):
        if not final:
            return None
        if " " not in text[start:]:
            return " ", len(text)
    return "<", start + 1


def _whole_tag(text: str, tag: re.Match[str], *, final: bool) -> _Verdict | None:
    name = tag[2].lower()
    if name in _PAGE:
        return tag[0], tag.end()
    if name in _TEMPLATES or (name in _ROLES and tag[0][1] == "|"):
        return _turn(text, tag, name, final=final)
    if name in _THOUGHTS and not tag[1]:
        closing = re.compile(rf"</{name}>", re.IGNORECASE).search(text, tag.end())
        return (" ", closing.end()) if closing else (" ", len(text)) if final else None
    return " ", tag.end()


def _turn(text: str, tag: re.Match[str], name: str, *, final: bool) -> _Verdict | None:
    """ChatML and Llama 3 put the role behind a tag, others make it the tag."""
    if name in _ROLES:
        return f"\n{name}: ", tag.end()
    role = _ROLE.match(text, tag.end())
    assert role is not None
    if role.end() == len(text) and not final:
        return None
    return f"\n{role[1]}: ", role.end()


def _emote(text: str, start: int, before: str, *, final: bool) -> _Verdict | None:
    """The /me of chat rooms, at the start of a line."""
    line = before.rstrip(" \t")
    begun = text[start : start + 3]
    if line and not _NEWLINE.match(line[-1]):
        return "/", start
    if begun in {"", "m", "me"} and not final:
        return None
    if begun.rstrip() != "me":
        return "/", start
    return _to_the_end_of_the_line(text, start, final=final)


def _waved(text: str, start: int, *, final: bool) -> _Verdict | None:
    """A tilde is a direction's only when a gesture follows: it also stands for "about" and for a long vowel."""
    word = _LETTERS.match(text, start)
    assert word is not None
    if word.end() == len(text) and len(word[0]) <= _LONGEST_GESTURE and not final:
        return None
    if word[0].casefold() not in _GESTURES | _MOVES:
        return "~", start
    closing = text.find("~", start, start + MAX_CHARS)
    if closing < 0 or _NEWLINE.search(text, start, closing):
        return _to_the_end_of_the_line(text, start, final=final)
    return " ", closing + 1


def _bracket(text: str, start: int, mark: str, before: str, end: int | None, *, final: bool) -> _Verdict | None:
    if _EMOTICON.search(before):
        return mark, start
    if mark == "{":
        # Data stays, so that `is_nonsense` sees it.
        begun = text[start : start + 2]
        if begun in {"", "{"} and not final:
            return None
        if not begun.removeprefix("{")[:1].isalpha():
            return mark, start
    if end is not None and end < start + MAX_CHARS:
        return " ", end
    if len(text) >= start + MAX_CHARS:
        return "", start
    return (" ", len(text)) if final else None


def _to_the_end_of_the_line(text: str, start: int, *, final: bool) -> _Verdict | None:
    if newline := _NEWLINE.search(text, start, start + MAX_CHARS):
        return " ", newline.start()
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
