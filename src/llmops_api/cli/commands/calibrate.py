"""`llmops-api calibrate`."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, Field

from llmops_api.cli.client import Service, path
from llmops_api.cli.failures import CheckFailed, WrongUse
from llmops_api.cli.options import Json, Key, Url, World
from llmops_api.cli.output import emit, note, say, table
from llmops_api.cli.reach import reach
from llmops_api.core.gate import Calibration, Sample, TradeOff
from llmops_api.core.gate import calibrate as calibration_of

command = typer.Typer(add_completion=False)


class Question(BaseModel):
    """`gold`: the documents that answer it; none when the lore does not."""

    question: str = Field(min_length=1)
    gold: frozenset[Annotated[str, Field(min_length=1)]] = frozenset()


@command.command(epilog="Example: llmops-api calibrate questions.jsonl --world emberfall --apply")
def calibrate(
    questions: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help='JSON lines {"question", "gold": \\[document ids]}; without gold: not in the lore.',
        ),
    ],
    *,
    world: World,
    false_refusals: Annotated[
        float, typer.Option(min=0, max=1, help="The share of answerable questions that may be refused.")
    ] = 0.05,
    apply: Annotated[bool, typer.Option("--apply", help="Store the threshold in the world.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Find where the lore stops holding an answer.

    Searches for every question, and shows for a row of thresholds how many it would refuse of those that the lore
    answers and of those that it does not.
    """
    given = list(_read(questions))
    with reach(url, key) as service:
        samples = [_sample(service, world, question) for question in _fitting(service, world, given)]
        found = calibration_of(samples, false_refusals=false_refusals)
        tells_apart = found.chosen.refusals > 0
        if apply and tells_apart:
            _apply(service, world, found.chosen.threshold)
    _show(_without_repeats(found), applied=apply and tells_apart, as_json=as_json)
    if not tells_apart:
        raise CheckFailed(
            f"whatever refuses a question that the lore does not hold refuses more than {false_refusals:.1%} of those "
            "that it does: nothing is stored."
        )


def _read(questions: Path) -> Iterator[Question]:
    for number, line in enumerate(questions.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield Question.model_validate_json(line)
        except ValueError as error:
            raise WrongUse(f'{questions}:{number} is not {{"question": "...", "gold": [document ids]}}.') from error


def _fitting(service: Service, world: str, given: Sequence[Question]) -> list[Question]:
    """The questions that this world can be judged by. Raises `CheckFailed` when they are not of both kinds."""
    if not service.get(path("worlds", world, "lore"), limit="1")["items"]:
        raise CheckFailed(f"{world} holds no lore: load some first, with llmops-api ingest.")
    named = frozenset[str]().union(*(question.gold for question in given))
    missing = {each for each in named if not service.has(path("worlds", world, "lore", each))}
    if missing:
        note(
            f"warning: not in {world}: {', '.join(sorted(missing))}. A question that nothing else answers is left out."
        )
    fitting = [question for question in given if not question.gold or question.gold - missing]
    answered = sum(bool(question.gold) for question in fitting)
    if answered in {0, len(fitting)}:
        raise CheckFailed(
            "calibration needs questions that the lore answers and questions that it does not: "
            f"there are {answered} and {len(fitting) - answered}."
        )
    return fitting


def _sample(service: Service, world: str, question: Question) -> Sample:
    body = {"query": question.question, "limit": 1, "explain": True}
    found = service.post(path("worlds", world, "lore", "search"), body)
    return Sample(found["gate"]["score"], bool(question.gold))


def _apply(service: Service, world: str, threshold: float) -> None:
    stored: dict[str, Any] = service.get(path("worlds", world))
    body = {name: stored[name] for name in ("title", "description", "locale", "dialogue")}
    service.put(path("worlds", world), {**body, "gate_threshold": threshold}, version=stored["version"])


def _without_repeats(found: Calibration) -> Calibration:
    """Of the thresholds that refuse the same questions one, and that is the one chosen if it is among them."""
    distinct = {(each.false_refusals, each.refusals): each for each in (*found.table, found.chosen)}
    return replace(found, table=tuple(distinct.values()))


def _show(found: Calibration, *, applied: bool, as_json: bool) -> None:
    if as_json:
        emit({**asdict(found), "applied": applied})
        return
    table(("threshold", "refused though answerable", "refused rightly"), map(_row, found.table))
    threshold, false, right = _row(found.chosen)
    if found.chosen.refusals:
        say(f"Best: {threshold}, which refuses {false} of the answerable questions and {right} of the others.")
        say("Stored in the world." if applied else "Store it in the world with --apply.")


def _row(trade_off: TradeOff) -> Sequence[str]:
    return f"{trade_off.threshold:.3f}", f"{trade_off.false_refusals:.1%}", f"{trade_off.refusals:.1%}"
