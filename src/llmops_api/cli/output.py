"""Results on standard output, everything else on standard error; nothing that was sent to us steers the terminal."""

import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)])
"""C0, DEL and C1, except tab and line feed."""


PIPE_WIDTH = 200
"""Columns of a table that goes to a file or to another program."""


@cache
def out() -> Console:
    """Standard output."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


@cache
def err() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def printable(text: str) -> str:
    """The text without control characters, which a terminal might obey."""
    return text.translate(_CONTROLS)


def counted(number: int, noun: str) -> str:
    """`1 document`, `2 documents`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def say(text: str, *, style: str = "", end: str = "\n") -> None:
    """Print a result, wrapped by nobody but the terminal."""
    out().print(printable(text), style=style, end=end, soft_wrap=True)


def note(text: str) -> None:
    """Print something about the command to standard error."""
    err().print(printable(text), soft_wrap=True)


def emit(value: Any) -> None:
    """Print one JSON document on a line of its own."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def table(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print a table, a line a row; None is an empty cell. What does not fit is cut from the last column."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, no_wrap=column != columns[-1])
    for row in rows:
        drawn.add_row(*(_cell(cell) for cell in row))
    out().print(drawn)


def _cell(value: Any) -> Text:
    line = " ".join(printable("" if value is None else str(value)).split())
    return Text(line, no_wrap=True, overflow="ellipsis")
