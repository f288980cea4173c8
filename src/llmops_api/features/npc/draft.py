"""A turn while it is being spoken."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from llmops_api.core.citations import cite
from llmops_api.core.conversations import Reason, SpokenBy, Turn
from llmops_api.core.models import Answer
from llmops_api.core.prompts import Prompt
from llmops_api.core.retrieval import LoreHit, Retrieved
from llmops_api.core.sentences import join, spans
from llmops_api.features.npc.opening import Opening
from llmops_api.features.npc.performance import Performance
from llmops_api.ports.state import Put
from llmops_api.schemas import Cost, Usage


@dataclass(frozen=True, slots=True)
class Said:
    """`delta` is the sentence with the space before it, so that the deltas joined are the text."""

    delta: str
    sentence: str


@dataclass(slots=True)
class Draft:
    """Gathers what was said and what it stood on."""

    opening: Opening
    turn_id: str
    line_id: str
    said: list[Said] = field(default_factory=list)
    spoken_by: SpokenBy = SpokenBy.MODEL
    reason: Reason | None = None
    found: Retrieved | None = None
    prompt: Prompt | None = None
    performance: Performance | None = None
    heard: tuple[Put, ...] = ()

    @property
    def documents(self) -> tuple[LoreHit, ...]:
        """The lore that the model is given: none when it does not hold what was said."""
        return self.found.hits if self.found and self.found.in_lore else ()

    @property
    def answer(self) -> Answer | None:
        """What the model gave, once it has ended well."""
        return self.performance.answer if self.performance else None

    def follow(self, sentence: str) -> Said:
        """The sentence as it comes after what was said already."""
        before = [self.said[-1].sentence] if self.said else []
        return Said(join([*before, sentence]).removeprefix("".join(before)), sentence)

    def turn(self, *, cancelled: bool = False) -> Turn:
        """The whole turn. When the client left a whole answer, nothing of it had been sent."""
        said = [] if cancelled and not self.opening.body.stream else self.said
        text = "".join(each.delta for each in said)
        return Turn(
            turn_id=self.turn_id,
            line_id=self.line_id,
            player_text=self.opening.body.text,
            text=text,
            sentences=tuple(each.sentence for each in said),
            spoken_by=self.spoken_by,
            reason=self.reason,
            locale=self.opening.locale,
            citations=self._citations(text),
            versions=self._versions(),
            model=self._model(),
            usage=Usage.of(self.answer.response.usage).model_dump() if self.answer else Usage().model_dump(),
            cost=_dump(Cost.of(self.answer.cost) if self.answer else None),
            timing=self._timing(),
            facts=self.opening.body.facts,
            cancelled=cancelled,
        )

    def _citations(self, text: str) -> tuple[Mapping[str, Any], ...]:
        if self.spoken_by is not SpokenBy.MODEL:
            return ()
        return tuple(asdict(each) for each in cite(text, self.documents, self.opening.locale))

    def _versions(self) -> Mapping[str, Any]:
        return {
            "character": self.opening.character.version,
            "prompt": self.prompt.version if self.prompt else None,
            "lore": self.found.lore_version if self.found else None,
        }

    def _model(self) -> Mapping[str, Any] | None:
        """Which model spoke, of a reply that was cut too."""
        performance = self.performance
        if self.spoken_by is not SpokenBy.MODEL or performance is None or performance.ref is None:
            return None
        return {"alias": performance.choice.alias, **asdict(performance.ref)}

    def _timing(self) -> Mapping[str, Any]:
        watch = self.opening.watch
        asked, answered = watch.at("asked"), watch.at("answered")
        started, retrieved = watch.at("opened"), watch.at("retrieved")
        return {
            "total_ms": watch.total,
            "first_sentence_ms": watch.at("first"),
            "retrieval_ms": _between(started, retrieved),
            "model_ms": _between(asked, answered),
        }


def in_sentences(line: str) -> Sequence[Said]:
    """A whole line in pieces that join to it exactly."""
    bounds = [*spans(line)] or [(0, len(line))]
    starts = [0, *(end for _, end in bounds[:-1])]
    ends = [*(end for _, end in bounds[:-1]), len(line)]
    return [Said(line[start:end], line[start:end].strip()) for start, end in zip(starts, ends, strict=True)]


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(end - start, 3)


def _dump(cost: Cost | None) -> Mapping[str, Any] | None:
    return cost.model_dump() if cost else None
