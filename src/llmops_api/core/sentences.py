"""Cuts text into sentences, also while it streams: a sentence goes out as soon as no later character could change it.

The result never depends on how a text was cut into deltas: a place is judged only when everything that its judgement
looks at is there. Sentences are verbatim spans in their order, and between them stands nothing but white space.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Final

MAX_CHARS: Final = 280
"""A sentence that is still open here is cut at a comma or a space: a voice needs to breathe, a listener to hear."""

_FULL_WIDTH: Final = "。｡！？"
_STRONG: Final = "!?؟۔।॥‽‼⁇⁈⁉"
_NEWLINE: Final = re.compile(r"[\n\r\u2028\u2029]")
_BORDER: Final = re.compile(rf"{_NEWLINE.pattern}|[.…‥{_STRONG}{_FULL_WIDTH}]+")
_SPACE: Final = re.compile(r"\s*")
_UP_TO_LAST_WORD: Final = re.compile(r"(?s:.*\s)?")
_CLOSING: Final = re.compile(r"""["'”’»›＂❞)\]}」』｣﹂﹄〟〞）】〕〉》*_]*(?:[“‘«‹](?=\s|$))?""")
_CJK_CLOSING: Final = frozenset("」』｣﹂﹄〟〞）】〕〉》")
_BEFORE_WORD: Final = re.compile(r"""[\s"'“‘„‚«‹＂❝‟(\[{¿¡*_—–-]*""")
_LETTERS: Final = re.compile(r"[^\W\d_]*")
_SOFT: Final = re.compile(r"[,;:،؛—–](?=\s)|[、，；：]")
_INITIALS: Final = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
_UNSPACED: Final = re.compile(r"[^\s\d가-힣\U00010000-\U0010ffff]")
_ENUMERATOR: Final = re.compile(r"\d{1,3}|[^\W\d_]")

_QUOTATION_GOES_ON: Final = frozenset("とっ、，")
"""After a closed quotation: 「…。」と言った."""


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


_BEFORE_NAMES: Final = _words(
    "mr mrs ms mx dr prof rev fr hon gen col maj capt cmdr lt sgt cpl sr sra srta mme mlle e.g i.e eg ie vs cf ca viz"
    " approx z.b d.h u.a bzw т.е т.к ул св"
)
_BEFORE_NAMES_OR_LAST: Final = _words("st ste mt ft ave rd blvd inc ltd co corp jr bros dept")
_BEFORE_NUMBERS: Final = _words("no nos nr p pp vol fig ch art sec ver стр")
_FIRST_WORDS: Final = _words(
    "the a an i it he she they we you this that these those there then but and or so if when what who how why where no"
    " yes my your his her our their its in on at for as is are was were do don did not now here"
)
_LONGEST_FIRST_WORD: Final = max(map(len, _FIRST_WORDS))


class SentenceSplitter:
    """Feed it a stream; each call returns the sentences that have become whole."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, delta: str) -> list[str]:
        return self._take(delta, final=False)

    def flush(self) -> list[str]:
        """The text has ended: whatever is left."""
        return self._take("", final=True)

    def _take(self, delta: str, *, final: bool) -> list[str]:
        text = self._rest + delta
        found = list(_spans(text, final=final))
        self._rest = text[found[-1][1] :] if found else text
        return [text[start:end] for start, end in found]


def spans(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a whole text stand: `text[start:end]`, in code points, without white space around."""
    return list(_spans(text, final=True))


def join(sentences: Iterable[str]) -> str:
    """Sentences as one text again: a space between two, but not in scripts that write without."""
    text = ""
    for sentence in sentences:
        unspaced = _is_unspaced(text.rstrip("\"'”’)")[-1:])
        text += f" {sentence}" if text and not unspaced else sentence
    return text


def _spans(text: str, *, final: bool) -> Iterator[tuple[int, int]]:
    start = _skip_space(text, 0)
    while start < len(text) and (end := _end(text, start, final=final)):
        stripped = len(text[start:end].rstrip())
        yield start, start + stripped
        start = _skip_space(text, end)


def _end(text: str, start: int, *, final: bool) -> int | None:
    """Where the sentence that begins at `start` ends, None when more text must tell."""
    for border in _BORDER.finditer(text, start):
        if border.start() >= start + MAX_CHARS:
            break
        if border.group()[0].isspace():
            return border.start()
        end = _verdict(text, start, border, final=final)
        if end is None or end:
            return end
    if len(text) - start > MAX_CHARS:
        return _soft_end(text, start)
    return len(text) if final else None


def _verdict(text: str, start: int, stop: re.Match[str], *, final: bool) -> int | None:
    """Where the sentence ends if these stops end it, 0 if they do not, None when more text must tell."""
    end = _matched(_CLOSING, text, stop.end())
    if end == len(text):
        return end if final else None
    quoted = end > stop.end()
    if set(stop.group()) & set(_FULL_WIDTH) or _CJK_CLOSING & set(text[stop.end() : end]):
        return 0 if quoted and text[end] in _QUOTATION_GOES_ON else end
    strong = bool(set(stop.group()) & set(_STRONG))
    if not text[end].isspace():
        return end if strong and _is_unspaced(text[end]) else 0
    if strong and not quoted:
        return end
    doubt = None if strong else _doubt(text[start : stop.start()], stop.group())
    return _verdict_by_next_word(text, end, doubt, final=final)


def _verdict_by_next_word(text: str, end: int, doubt: Callable[[str], bool] | None, *, final: bool) -> int | None:
    """`doubt` says for a capitalised next word whether the sentence goes on with it."""
    word = _matched(_BEFORE_WORD, text, end)
    if _NEWLINE.search(text, end, word) or (word == len(text) and final):
        return end
    if word == len(text):
        return None
    if text[word].islower() or not doubt:
        return 0 if text[word].islower() else end
    after = max(word + 1, _matched(_LETTERS, text, word))
    if after == len(text) and after - word <= _LONGEST_FIRST_WORD and not final:
        return None
    return 0 if doubt(text[word:after]) else end


def _doubt(before: str, stops: str) -> Callable[[str], bool] | None:
    """Whether, by the next word, the stops after `before` leave the sentence open; None: they end it."""
    if stops != ".":
        return lambda next_word: next_word == "I"
    last = before[_matched(_UP_TO_LAST_WORD, before, 0) :].lstrip("\"'“‘„«([{*_")
    word = last.casefold()
    if word in _BEFORE_NAMES or _ENUMERATOR.fullmatch(before):
        return lambda _: True
    if word in _BEFORE_NUMBERS:
        return str.isdigit
    if word in _BEFORE_NAMES_OR_LAST or (last[:1].isupper() and _INITIALS.fullmatch(last)):
        return lambda next_word: next_word.casefold() not in _FIRST_WORDS
    return None


def _soft_end(text: str, start: int) -> int:
    middle, end = start + MAX_CHARS // 2, start + MAX_CHARS
    commas = [comma.end() for comma in _SOFT.finditer(text, middle, end)]
    spaces = [space.start() for space in re.finditer(r"\s", text[middle:end])]
    return commas[-1] if commas else middle + spaces[-1] if spaces else end


def _skip_space(text: str, start: int) -> int:
    return _matched(_SPACE, text, start)


def _matched(pattern: re.Pattern[str], text: str, start: int) -> int:
    """The end of what the pattern, which matches the empty string too, matches at `start`."""
    match = pattern.match(text, start)
    return match.end() if match else start


def _is_unspaced(character: str) -> bool:
    """Chinese and Japanese, with their punctuation; Korean is as wide but puts spaces."""
    return bool(_UNSPACED.fullmatch(character)) and unicodedata.east_asian_width(character) in {"W", "F"}
