"""`llmops-api search`."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from llmops_api.cli.client import path
from llmops_api.cli.options import Json, Key, Kinds, Locale, Tags, Url, World
from llmops_api.cli.output import emit, note, table
from llmops_api.cli.reach import reach

command = typer.Typer(add_completion=False)


class Mode(StrEnum):
    HYBRID = "hybrid"
    KEYWORD = "keyword"
    VECTOR = "vector"


@command.command(epilog="Example: llmops-api search 'when does the gate close' --world emberfall --explain")
def search(
    query: str,
    *,
    world: World,
    mode: Annotated[Mode, typer.Option(help="keyword and vector show what either side finds alone.")] = Mode.HYBRID,
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many documents.")] = 5,
    tag: Tags = None,
    kind: Kinds = None,
    locale: Locale = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say how each hit came by its rank.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Search the lore of a world."""
    body = {
        "query": query,
        "limit": limit,
        "mode": mode,
        "filter": {"tags_any": tag or [], "kinds": kind or []},
        "locale": locale,
        "explain": explain,
    }
    with reach(url, key) as service:
        found = service.post(path("worlds", world, "lore", "search"), body)
    if as_json:
        emit(found)
    else:
        _show(found, explain=explain)


def _show(found: dict[str, Any], *, explain: bool) -> None:
    ranks = ("keyword", "vector", "cosine") if explain else ()
    rows = [[rank, *_cells(hit, explain=explain)] for rank, hit in enumerate(found["hits"], start=1)]
    table(("#", "score", *ranks, "document", "title", "text"), rows)
    if not found["in_lore"]:
        note("The lore does not hold an answer to this.")


def _cells(hit: dict[str, Any], *, explain: bool) -> list[Any]:
    cells = [f"{hit['score']:.3f}", hit["document_id"], hit["title"], hit["text"]]
    if explain:
        why = hit["explanation"]
        cosine = None if why["cosine"] is None else f"{why['cosine']:.3f}"
        cells[1:1] = [why["keyword_rank"], why["vector_rank"], cosine]
    return cells
