"""A long text as the pieces that are embedded and quoted, cut where a reader would pause."""

import re
import unicodedata

# From the best place to cut to the worst: paragraph, line, sentence, clause, word. A cut is where a match ends.
_BREAKS = (
    re.compile(r"\n[^\S\n]*\n\s*"),
    re.compile(r"\n\s*"),
    re.compile(r"(?<![.!?…])[.!?…]+[\"'”’»)\]]*\s+|[。！？｡]+[」』”’）]*\s*"),
    re.compile(r"[,;:—]\s+|[、，；：]"),
    re.compile(r"\s+"),
)
_INK = re.compile(r"\S")
_JOINER = "\u200d"
_CLUSTER = 32
"""The longest character, in code points, that a forced cut goes around; more marks than this are nobody's word."""


def split(text: str, max_chars: int = 900) -> list[tuple[int, int]]:
    """Offsets `(start, end)` in code points, in order: together they hold everything but the blanks between them.

    No chunk is longer than `max_chars` or begins or ends blank. Raises ValueError when `max_chars` is below 1.
    """
    if max_chars < 1:
        raise ValueError("max_chars must be at least 1")
    chunks: list[tuple[int, int]] = []
    start = _next_ink(text, 0)
    while start < len(text):
        cut = _cut(text, start, max_chars)
        chunks.append((start, start + len(text[start:cut].rstrip())))
        start = _next_ink(text, cut)
    return chunks


def _next_ink(text: str, position: int) -> int:
    found = _INK.search(text, position)
    return found.start() if found else len(text)


def _cut(text: str, start: int, max_chars: int) -> int:
    limit = start + max_chars
    if limit >= len(text):
        return len(text)
    for pattern in _BREAKS:
        cut = _last_match(pattern, text, start + max_chars // 2, limit)
        if cut:
            return cut
    return _last_match(_BREAKS[-1], text, start, limit) or _between_characters(text, start, limit)


def _last_match(pattern: re.Pattern[str], text: str, begin: int, limit: int) -> int:
    """The end of the last match whose ink lies before `limit`; 0 for none."""
    last = 0
    for match in pattern.finditer(text, begin, limit + 1):
        if match.end() <= limit or text[limit].isspace():
            last = match.end()
    return last


def _between_characters(text: str, start: int, limit: int) -> int:
    """`limit`, or a little less so that a letter keeps its marks and a joined emoji its parts."""
    for cut in range(limit, max(start, limit - _CLUSTER), -1):
        if not (unicodedata.combining(text[cut]) or _JOINER in text[cut - 1 : cut + 1]):
            return cut
    return limit
