"""Questions to the lore: refused when it does not hold the answer, else answered from it, with the words it stands on."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from llmops_api.core.citations import cite
from llmops_api.core.models import Answer, ModelRef, Models
from llmops_api.core.prompts import PromptLibrary
from llmops_api.core.retrieval import Retrieved, Retriever
from llmops_api.core.stopwatch import Stopwatch, within
from llmops_api.core.thoughts import AnswerStream
from llmops_api.core.worlds import World
from llmops_api.errors import ProviderGarbled
from llmops_api.features.rag.schemas import AskRequest, AskResponse, AskTiming
from llmops_api.ports.chat import ChatRequest, Message, Role
from llmops_api.responses import StreamEvent
from llmops_api.schemas import CitationOut, Cost, Delta, ModelUsed, Usage

PROMPT = "lore-answer"


@dataclass(frozen=True, slots=True)
class Ask:
    """What stands behind `POST /v1/worlds/{world}/ask`."""

    retriever: Retriever
    models: Models
    prompts: PromptLibrary

    async def events(self, world: World, body: AskRequest, watch: Stopwatch) -> AsyncGenerator[StreamEvent, None]:
        """`delta`s, `usage`, and `done` with the whole answer. Raises `ProviderError`s, `UnknownModel`,
        `DeadlineExceeded`."""
        locale = body.locale or world.locale
        choice = self.models.choose(body.model, world.dialogue.get("model"))
        searching = self.retriever.search(
            world, body.question, filter=body.filter.filter(), limit=body.limit, locale=locale
        )
        found = await within(watch.deadline, searching)
        watch.mark("retrieved")
        if not found.in_lore:
            refusal = self.prompts.refusal(locale)
            yield StreamEvent("delta", Delta(text=refusal))
            yield StreamEvent("done", _refused(refusal, found, watch))
            return
        request = self._request(world, body, found, watch)
        spoken, said = AnswerStream(), ""
        async with aclosing(self.models.stream(choice, request)) as pieces:
            async for piece in pieces:
                if isinstance(piece, ModelRef):
                    continue
                text = spoken.feed(piece) if isinstance(piece, str) else spoken.end()
                if text:
                    watch.mark("first")
                    said += text
                    yield StreamEvent("delta", Delta(text=text))
                if isinstance(piece, Answer):
                    answered = _answered(piece, said, found, locale, watch)
                    yield StreamEvent("usage", Usage.of(piece.response.usage))
                    yield StreamEvent("done", answered)

    def _request(self, world: World, body: AskRequest, found: Retrieved, watch: Stopwatch) -> ChatRequest:
        prompt = self.prompts.render(
            PROMPT, question=body.question, documents=found.hits, locale=body.locale or world.locale, world=world
        )
        messages = (Message.of(Role.SYSTEM, prompt.system, stable=True), Message.of(Role.USER, prompt.user))
        return ChatRequest(model="", messages=messages, deadline=watch.deadline)


def _refused(refusal: str, found: Retrieved, watch: Stopwatch) -> AskResponse:
    return AskResponse(
        answer=refusal,
        refused=True,
        reason="not_in_lore",
        citations=[],
        model=None,
        usage=Usage(),
        cost=None,
        timing=AskTiming(total_ms=watch.total, retrieval_ms=watch.at("retrieved") or 0.0),
        lore_version=found.lore_version,
    )


def _answered(answer: Answer, said: str, found: Retrieved, locale: str, watch: Stopwatch) -> AskResponse:
    if not said.strip():
        raise ProviderGarbled("The model gave no answer.", provider=answer.ref.provider)
    total, retrieval = watch.total, watch.at("retrieved") or 0.0
    citations = cite(said, found.hits, locale)
    return AskResponse(
        answer=said,
        refused=False,
        citations=[
            CitationOut(document_id=each.document_id, title=each.title, quote=each.quote, score=each.score)
            for each in citations
        ],
        model=ModelUsed.of(answer),
        usage=Usage.of(answer.response.usage),
        cost=Cost.of(answer.cost),
        timing=AskTiming(
            total_ms=total,
            first_token_ms=watch.at("first"),
            retrieval_ms=retrieval,
            model_ms=round(total - retrieval, 3),
        ),
        lore_version=found.lore_version,
    )
