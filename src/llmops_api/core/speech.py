"""What a character may say aloud: speech alone, whole sentences, and no sign of the machine."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from llmops_api.core.sentences import SentenceSplitter
from llmops_api.core.speakers import names_a_speaker, others_labels, own_label
from llmops_api.core.stage_directions import StageDirections

_UNPRINTABLE: Final = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e0fff]"
    r"|(?<![\u0600-\u08ff\u0900-\u0dff])[\u200c\u200d]|[\u200c\u200d](?![\u0600-\u08ff\u0900-\u0dff])"
)
"""Joiners stay inside Arabic and Indic words, where they belong to the spelling."""

_EMOJI: Final = re.compile(
    r" ?(?:(?:[\u2190-\u21ff\u2300-\u23ff\u2500-\u27bf\u2b00-\u2bff\ufe00-\ufe0f\u20e3\U0001f000-\U0001faff]"
    r"|(?<!\S)[:;=]-?[()DP](?!\w)) ?)+([.,!?…。！？])?"
)
_NEWLINE: Final = re.compile(r"[\n\r\u2028\u2029]")
_LINE_MARKS: Final = re.compile(r"(?m)^\s*(?:(?:[#>]+|[-–—•‣·+*]+)(?:\s+|$))+")
_LEFTOVERS: Final = re.compile(r"\\(?!\w)|[()\[\]（）【】［］]|(?<!`)`(?!`)|~~|\*+|(?<!\w)_+|_+(?!\w)")
_SPACE_BETWEEN_CJK: Final = re.compile(
    r"(?<=[\u3000-\u30ff\u3400-\u9fff\uff00-\uff60])\s+(?=[\u3000-\u30ff\u3400-\u9fff\uff00-\uff60])"
)
_SPACE_BEFORE_STOP: Final = re.compile(r"\s+(?=[,.…](?:\s|$))")
_ORPHANS: Final = re.compile(r"^[\s,;:，、：；]+")

_BROKEN: Final = re.compile(
    r"[\ufffd]|â€|(?:[ÃÂÐÑ][\u0080-\u00bf]){2}|[\w ]Ã[\u0080-\u00bf]"
    r"|```|^\s*[\[{]\s*[\[{\"]|\"[\w ]+\"\s*:\s*(?:[\"\d\[{]|true|false|null)"
    r"|<(?i:!doctype|/?(?:html|head|body|div|script|style|table|ul|li|a|img|p|svg)\b)"
    r"|Traceback \(most recent call last\)|File \"[^\"]+\", line \d|\bException in thread\b|^\s*at [\w.$]+\([\w.]+:\d+\)"
    r"|\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{32,}\b"
    r"|(?<![A-Za-z0-9+/_-])(?=[A-Za-z+/_-]*\d)(?=[\dA-Z+/_-]*[a-z])(?=[\da-z+/_-]*[A-Z])[A-Za-z0-9+/_-]{48,}"
)
"""Bytes read as the wrong characters, data, web pages, tracebacks, hexadecimal and base64 walls."""

_ECHO_WORDS: Final = 12
_TOKEN: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+(?:['’][^\W_]+)*")

_PAIRS: Final = (
    *('""', "＂＂", "“”", "‟”", "„“", "„”", "«»", "»«", "‹›", "›‹", "‚‘", "❝❞"),
    *("「」", "『』", "｢｣", "﹁﹂", "﹃﹄", "〝〟", "〝〞", "〞〟", "《》", "〈〉"),
)
_APOSTROPHES: Final = ("''", "‘’", "‚’")


class SpeechStream:
    """Feed it a model's stream; each call returns the sentences that can be said, clean.

    What others say is not this character's speech. A line that the model gives to the player, or a later one that it
    gives to somebody else, ends the speech: what follows is an imagined conversation. A narrator's line is left out.
    """

    def __init__(self, *, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self._directions = StageDirections()
        self._splitter = SentenceSplitter()
        self._begins_later_line = False
        self._narrated = False
        self._over = False

    def feed(self, delta: str) -> list[str]:
        return self._said(self._sentences(self._directions.feed(delta)))

    def flush(self) -> list[str]:
        """The stream has ended: whatever is left."""
        rest = self._said(self._sentences(self._directions.flush()))
        return rest + self._said(self._splitter.flush())

    def _sentences(self, text: str) -> Iterator[str]:
        first, *others = _NEWLINE.split(text)
        yield from self._splitter.feed(first)
        for line in others:
            yield from self._splitter.flush()
            self._begins_later_line, self._narrated = True, False
            yield from self._splitter.feed(line)

    def _said(self, sentences: Iterable[str]) -> list[str]:
        said = []
        for sentence in sentences:
            line = _lines(sentence)
            self._note_speaker(line)
            if not (self._over or self._narrated) and (speech := _spoken(line, self._names)):
                said.append(speech)
        return said

    def _note_speaker(self, line: str) -> None:
        later, self._begins_later_line = self._begins_later_line, False
        if own_label(self._names).match(line):
            return
        others, narrators = others_labels(self._names)
        self._over = self._over or bool(others.match(line)) or (later and names_a_speaker(line))
        self._narrated = self._narrated or bool(narrators.match(line))


def _lines(text: str) -> str:
    """Printable characters with single spaces, and no empty line: what the patterns below are quick on."""
    return "\n".join(filter(None, (" ".join(line.split()) for line in _UNPRINTABLE.sub("", text).splitlines())))


def _spoken(text: str, names: tuple[str, ...]) -> str:
    text = _EMOJI.sub(lambda emoji: emoji[1] or " ", text)
    text = _LINE_MARKS.sub("", text)
    text = own_label(names).sub("", text)
    text = _LEFTOVERS.sub("", text)
    text = _SPACE_BETWEEN_CJK.sub("", _SPACE_BEFORE_STOP.sub("", " ".join(text.split())))
    text = _unquoted(_ORPHANS.sub("", text))
    return text if any(map(str.isalnum, text)) else ""


def _unquoted(text: str) -> str:
    """Without quotation marks around the whole, also when only one half of them came into this sentence."""
    for opening, closing in _PAIRS:
        marks = text.count(opening) + (text.count(closing) if closing != opening else 0)
        if marks == 1:
            text = text.removeprefix(opening).removesuffix(closing)
        elif marks == 2 and (whole := re.fullmatch(rf"{opening}(.*){closing}([.,!?…。]?)", text)):
            text = whole[1] + whole[2]
    for opening, closing in _APOSTROPHES:
        within = rf"(?:[^{opening}{closing}]|(?<=\w){closing}(?=\w))*"
        if whole := re.fullmatch(rf"{opening}({within}){closing}([.,!?…]?)", text):
            text = whole[1] + whole[2]
    return text.strip()


def is_nonsense(text: str) -> bool:
    """Whether a model's output is broken rather than bad: no letters, garbled bytes, loops, symbols, data, code.

    It errs on the side of speech: numbers, laughter, cries and a refrain sung three times are none.
    """
    return bool(_BROKEN.search(text)) or _is_mute(text) or _is_loop(text)


def echoes(text: str, prompt: str) -> bool:
    """Whether the text repeats a dozen words in a row of the instructions in `prompt`; two Chinese or Japanese
    characters count as a word."""
    said = _windows(text)
    return bool(said) and not said.isdisjoint(_prompt_windows(prompt))


@lru_cache(maxsize=64)
def _prompt_windows(prompt: str) -> frozenset[int]:
    """Those of a prompt that is the same for every turn of a character."""
    return frozenset(_windows(prompt))


def _is_mute(text: str) -> bool:
    """No letters (a bare number is an answer), or lost among symbols."""
    visible = [character for character in text if not character.isspace()]
    words = sum(unicodedata.category(character)[0] in "LMN" for character in visible)
    return words == 0 or (len(visible) >= 12 and words < 0.4 * len(visible))


def _is_loop(text: str) -> bool:
    words = [token.casefold() for token in _TOKEN.findall(text)]
    letters = "".join(words)
    return any(_repeated(letters, period) >= 60 for period in range(1, 17)) or (
        len(letters) >= 40 and any(_repeated(words, period) >= max(4 * period, 10) for period in range(1, 13))
    )


def _repeated(items: Sequence[str], period: int) -> int:
    """The longest run of items that each equal the one a period before."""
    longest = run = 0
    for before, item in zip(items, items[period:], strict=False):
        run = run + 1 if item == before else 0
        longest = max(longest, run)
    return longest


def _windows(text: str) -> set[int]:
    """Every shortest run of tokens that weighs as much as an echo, by its hash: a tenth of the memory."""
    tokens = [token.casefold() for token in _TOKEN.findall(text)]
    weights = [0.5 if "\u3040" <= token[0] <= "\u9fff" else 1.0 for token in tokens]
    windows: set[int] = set()
    start, weight = 0, 0.0
    for end, added in enumerate(weights):
        weight += added
        while weight - weights[start] >= _ECHO_WORDS:
            weight -= weights[start]
            start += 1
        if weight >= _ECHO_WORDS:
            windows.add(hash(tuple(tokens[start : end + 1])))
    return windows
