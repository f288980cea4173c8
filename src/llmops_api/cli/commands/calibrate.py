"""`llmops-api calibrate`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from llmops_api.cli.client import Service, path
from llmops_api.cli.failures import WrongUse
from llmops_api.cli.options import Json, Key, Url, World
from llmops_api.cli.output import emit, say, table
from llmops_api.cli.reach import reach
from llmops_api.core.gate import Calibration, Sample, TradeOff
from llmops_api.core.gate import calibrate as calibration_of

command = typer.Typer()


@dataclass(frozen=True, slots=True)
class Question:
    """`answered`: whether the lore holds the answer."""

    text: str
    answered: bool


@command.command(epilog="Example: llmops-api calibrate questions.jsonl --world emberfall --apply")
def calibrate(
    questions: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help='JSON lines {"question", "gold": [document ids]}; no ids: not in the lore.',
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
    labelled = list(_read(questions))
    with reach(url, key) as service:
        samples = [_sample(service, world, question) for question in labelled]
        try:
            found = calibration_of(samples, false_refusals=false_refusals)
        except ValueError as error:
            raise WrongUse(f"{error}.") from error
        if apply:
            _apply(service, world, found.chosen.threshold)
    _show(found, applied=apply, as_json=as_json)


def _read(questions: Path) -> Iterator[Question]:
    for number, line in enumerate(questions.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            yield Question(value["question"], bool(value["gold"]))
        except (ValueError, KeyError, TypeError) as error:
            raise WrongUse(f'{questions}:{number} is not {{"question": ..., "gold": [...]}}.') from error


def _sample(service: Service, world: str, question: Question) -> Sample:
    body = {"query": question.text, "limit": 1, "explain": True}
    found = service.post(path("worlds", world, "lore", "search"), body)
    return Sample(found["gate"]["score"], question.answered)


def _apply(service: Service, world: str, threshold: float) -> None:
    stored: dict[str, Any] = service.get(path("worlds", world))
    body = {name: stored[name] for name in ("title", "description", "locale", "dialogue")}
    service.put(path("worlds", world), {**body, "gate_threshold": threshold}, version=stored["version"])


def _show(found: Calibration, *, applied: bool, as_json: bool) -> None:
    if as_json:
        emit({**asdict(found), "applied": applied})
        return
    table(("threshold", "refused though answerable", "refused rightly"), map(_row, found.table))
    _, false, right = _row(found.chosen)
    say(
        f"Best: {found.chosen.threshold:.3f}, which refuses {false} of the answerable questions and {right} of the others."
    )
    say("Stored in the world." if applied else "Store it in the world with --apply.")


def _row(trade_off: TradeOff) -> Sequence[str]:
    return f"{trade_off.threshold:.3f}", f"{trade_off.false_refusals:.1%}", f"{trade_off.refusals:.1%}"
