"""What goes over the wire about lore and the answers from it."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, Field

from llmops_api.body_lines import METADATA_BYTES
from llmops_api.core.documents import Document
from llmops_api.core.gate import Verdict
from llmops_api.core.retrieval import LoreHit, Mode
from llmops_api.core.terms import language_of
from llmops_api.ports.lore_index import Filter
from llmops_api.schemas import (
    PATH_ID,
    Answered,
    CitationOut,
    Cost,
    GivenModel,
    JsonObject,
    Locale,
    ModelName,
    ModelUsed,
    Usage,
    VisibleText,
    WireModel,
    WireText,
)


def _bounded(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(metadata)) > METADATA_BYTES:
        raise ValueError(f"is longer than {METADATA_BYTES} bytes as JSON; leave some of it out")
    return metadata


Metadata = Annotated[JsonObject, AfterValidator(_bounded)]
Name = Annotated[VisibleText, Field(max_length=100)]
DocumentId = Annotated[str, Field(pattern=PATH_ID, max_length=200)]


class DocumentRequest(GivenModel):
    """A lore document as a writer gives it."""

    title: VisibleText = Field(max_length=300, examples=["The Weeping Stone"], description="It counts in the search.")
    text: VisibleText = Field(
        examples=["The Weeping Stone stands in the mill yard. It drips, even in drought."],
        description="The lore itself; answers quote it word for word.",
    )
    kind: WireText = Field("", max_length=100, examples=["place"], description="One word of your own for what it is.")
    tags: list[Name] = Field(
        [], max_length=100, examples=[["common"]], description="For filters, and for what characters may know."
    )
    keys: list[Name] = Field([], max_length=100, description="Other names that players use for it.")
    importance: int = Field(3, ge=1, le=5, description="Which of two equals comes first; 5 is the most important.")
    locale: Locale | None = Field(None, description="The language of the text; the world's when left out.")
    metadata: Metadata = Field(
        {}, description="Any JSON without NUL characters, at most 4 MiB; kept and given back, never searched."
    )

    def document(self, document_id: str) -> Document:
        """The document of the core."""
        return Document(
            id=document_id,
            title=self.title,
            text=self.text,
            kind=self.kind,
            tags=tuple(dict.fromkeys(self.tags)),
            keys=tuple(dict.fromkeys(self.keys)),
            importance=self.importance,
            locale=self.locale or "",
            metadata=self.metadata,
        )


class DocumentReplacement(DocumentRequest):
    """The same, or the answer to a `GET`, edited."""

    document_id: Answered = None
    version: Answered = None


class IngestLine(DocumentRequest):
    """One line of a bulk ingest: a document with its id. Fields that we do not know are kept as metadata."""

    id: DocumentId


class DocumentStored(WireModel):
    """What became of a document."""

    document_id: str
    version: int = Field(description="Grows with every change; also the `ETag`.")
    chunks: int = Field(description="How many chunks are searched.")
    changed: bool = Field(description="False when it was already there, word for word.")


class DocumentResponse(WireModel):
    """A lore document as it stands."""

    document_id: str
    title: str
    text: str
    kind: str = Field(description="What it is, in a word of the studio's; empty when none was given.")
    tags: list[str] = Field(description="For filters, and for what characters may know.")
    keys: list[str] = Field(description="Other names that players use for it.")
    importance: int = Field(description="1 to 5; 5 is the most important.")
    locale: str | None = Field(description="Null: the world's.")
    metadata: dict[str, Any] = Field(description="As it was given.")
    version: int = Field(description="Grows with every change; also the `ETag`.")

    @classmethod
    def of(cls, document: Document) -> "DocumentResponse":
        fields = document.fields | {"locale": document.locale or None}
        return cls(document_id=document.id, version=document.version, **fields)


class FilterIn(GivenModel):
    """What may be found: every part that is given must hold."""

    tags_any: list[Name] = Field([], max_length=200, description="It has one of these.")
    tags_all: list[Name] = Field([], max_length=200, description="It has every one of these.")
    kinds: list[Name] = Field([], max_length=200, description="It is of one of these.")
    document_ids: list[DocumentId] = Field([], max_length=1000, description="It is one of these.")
    locale: Locale | None = Field(None, description="It is in this language (BCP 47), whichever its region.")

    def filter(self) -> Filter:
        """The filter of the port."""
        return Filter(
            tags_any=frozenset(self.tags_any),
            tags_all=frozenset(self.tags_all),
            kinds=frozenset(self.kinds),
            document_ids=frozenset(self.document_ids),
            locale=language_of(self.locale or ""),
        )


class SearchRequest(GivenModel):
    """What to look for in the lore."""

    query: VisibleText = Field(
        max_length=2000, examples=["When does the gate close?"], description="A question, or some words."
    )
    limit: int = Field(5, ge=1, le=50, description="How many documents at most.")
    filter: FilterIn = Field(FilterIn(), description="What may be found; everything when left out.")
    mode: Mode = Field(
        Mode.HYBRID, strict=False, description="`keyword` and `vector` show what either side finds alone."
    )
    locale: Locale | None = Field(None, description="The language of the query; the world's when left out.")
    explain: bool = Field(False, description="Say for each hit how it came by its rank.")


class Explanation(WireModel):
    """How a hit came by its rank."""

    keyword_rank: int | None = Field(description="Its place by keywords, from 1; null: it has none.")
    vector_rank: int | None = Field(description="Its place by vectors, from 1; null: it has none.")
    cosine: float | None = Field(description="Likeness of its vector to the query's; null when none was compared.")
    fused: float = Field(description="What both made together: the score.")


class HitOut(WireModel):
    """A document by its best chunk."""

    document_id: str
    title: str
    text: str = Field(description="The chunk, verbatim.")
    score: float = Field(description="For comparing the hits of one search, and nothing else.")
    kind: str = Field(description="What the document is.")
    tags: list[str] = Field(description="The document's tags.")
    explanation: Explanation | None = Field(None, description="With `explain`.")

    @classmethod
    def of(cls, hit: LoreHit, *, explain: bool) -> "HitOut":
        explanation = Explanation(
            keyword_rank=hit.keyword_rank, vector_rank=hit.vector_rank, cosine=hit.cosine, fused=hit.score
        )
        return cls(
            document_id=hit.document_id,
            title=hit.title,
            text=hit.text,
            score=hit.score,
            kind=hit.kind,
            tags=sorted(hit.tags),
            explanation=explanation if explain else None,
        )


class GateOut(WireModel):
    """How it was judged whether the lore holds an answer."""

    score: float = Field(description="0 to 1; the world's `gate_threshold`, or our own, says from where on it does.")
    signals: dict[str, float | None] = Field(description="What the score was made of.")

    @classmethod
    def of(cls, verdict: Verdict) -> "GateOut":
        signals = asdict(verdict)
        del signals["in_lore"]
        return cls(score=signals.pop("score"), signals=signals)


class SearchResponse(WireModel):
    """What was found."""

    hits: list[HitOut] = Field(description="One for each document, the best first.")
    in_lore: bool = Field(description="Whether the lore holds an answer at all.")
    gate: GateOut | None = Field(None, description="With `explain`: how that was judged.")
    lore_version: str = Field(description="The state of the world's lore.")


class AskRequest(GivenModel):
    """A question to the lore."""

    question: VisibleText = Field(
        max_length=2000, examples=["When does the gate close?"], description="What somebody wants to know."
    )
    filter: FilterIn = Field(FilterIn(), description="Which lore may answer; all of it when left out.")
    limit: int = Field(5, ge=1, le=20, description="How many documents the model is given.")
    locale: Locale | None = Field(None, description="The language of the question; the world's when left out.")
    model: ModelName | None = Field(None, description="An alias or `provider:name`.")
    deadline_ms: int | None = Field(
        None, ge=1, le=600_000, description="The answer, or a problem, comes within this time."
    )
    stream: bool = Field(False, description="Answer with server-sent events.")


class AskTiming(WireModel):
    """Milliseconds; null for what did not happen."""

    total_ms: float = Field(description="Until the answer was whole.")
    first_token_ms: float | None = Field(None, description="Until the first text came.")
    retrieval_ms: float = Field(description="Spent searching.")
    model_ms: float | None = Field(None, description="Spent by the model.")


class AskResponse(WireModel):
    """An answer from the lore, or an honest refusal."""

    answer: str = Field(description="In words; a plain sentence of ours when it was refused.")
    refused: bool = Field(description="Whether the lore holds no answer.")
    reason: Literal["not_in_lore"] | None = Field(None, description="Why it was refused.")
    citations: list[CitationOut] = Field(description="What the answer stands on, the most repeated first.")
    model: ModelUsed | None = Field(description="Null when no model was asked.")
    usage: Usage
    cost: Cost | None = Field(description="Null when no model was asked, or the settings hold no price for it.")
    timing: AskTiming
    lore_version: str = Field(description="The state of the world's lore.")


class JobStarted(WireModel):
    """A job has begun; `GET /v1/jobs/{job_id}` tells how it goes."""

    job_id: str = Field(description="For `GET /v1/jobs/{job_id}`.")
    kind: str = Field(examples=["ingest"], description="`ingest` or `reindex`.")
    status: str = Field(examples=["queued"], description="As a job has it.")
    accepted: int | None = Field(None, description="Documents of an ingest that were taken.")
    rejected: int | None = Field(None, description="Faults found in it; the job names each with its line.")
