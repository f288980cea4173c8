"""What goes over the wire about lore and the answers from it."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import Field

from llmops_api.core.documents import Document
from llmops_api.core.gate import Verdict
from llmops_api.core.retrieval import LoreHit, Mode
from llmops_api.ports.lore_index import Filter
from llmops_api.schemas import PATH_ID, Cost, GivenModel, Locale, ModelUsed, Usage, VisibleText, WireModel, WireText

Name = Annotated[VisibleText, Field(max_length=100)]
DocumentId = Annotated[str, Field(pattern=PATH_ID, max_length=200)]


class DocumentRequest(GivenModel):
    """A lore document as a writer gives it."""

    title: VisibleText = Field(max_length=300, examples=["The Weeping Stone"])
    text: VisibleText = Field(examples=["The Weeping Stone stands in the mill yard. It drips, even in drought."])
    kind: WireText = Field("", max_length=100, examples=["place"])
    tags: list[Name] = Field([], max_length=100, examples=[["common"]])
    keys: list[Name] = Field([], max_length=100, description="Other names that players use for it.")
    importance: int = Field(3, ge=1, le=5)
    locale: Locale | None = Field(None, description="The language of the text; the world's when left out.")
    metadata: dict[str, Any] = Field({}, description="Kept and given back; never searched.")

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


class IngestLine(DocumentRequest):
    """One line of a bulk ingest: a document with its id. Fields that we do not know are kept as metadata."""

    id: DocumentId


class DocumentStored(WireModel):
    """What became of a document; `changed` is false when it was already there, word for word."""

    document_id: str
    version: int
    chunks: int
    changed: bool


class DocumentResponse(WireModel):
    document_id: str
    title: str
    text: str
    kind: str
    tags: list[str]
    keys: list[str]
    importance: int
    locale: str = Field(description="Empty: the world's.")
    metadata: dict[str, Any]
    version: int

    @classmethod
    def of(cls, document: Document) -> "DocumentResponse":
        return cls(document_id=document.id, version=document.version, **document.fields)


class FilterIn(GivenModel):
    """What may be found: every part that is given must hold."""

    tags_any: list[Name] = Field([], max_length=200)
    tags_all: list[Name] = Field([], max_length=200)
    kinds: list[Name] = Field([], max_length=200)
    document_ids: list[DocumentId] = Field([], max_length=1000)
    locale: Locale | None = None

    def filter(self) -> Filter:
        """The filter of the port."""
        return Filter(
            tags_any=frozenset(self.tags_any),
            tags_all=frozenset(self.tags_all),
            kinds=frozenset(self.kinds),
            document_ids=frozenset(self.document_ids),
            locale=self.locale or "",
        )


class SearchRequest(GivenModel):
    query: VisibleText = Field(max_length=2000, examples=["When does the gate close?"])
    limit: int = Field(5, ge=1, le=50)
    filter: FilterIn = FilterIn()
    mode: Mode = Field(Mode.HYBRID, description="`keyword` and `vector` show what either side finds alone.")
    locale: Locale | None = Field(None, description="The language of the query; the world's when left out.")
    explain: bool = Field(False, description="Say for each hit how it came by its rank.")


class Explanation(WireModel):
    """Where a hit stood in each list (from 1; null: nowhere), and what the fusion made of it."""

    keyword_rank: int | None
    vector_rank: int | None
    cosine: float | None
    fused: float


class HitOut(WireModel):
    """A document by its best chunk; `text` is verbatim."""

    document_id: str
    title: str
    text: str
    score: float
    kind: str
    tags: list[str]
    explanation: Explanation | None = None

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
    """Why the gate opened or not: its score, and the signals that made it."""

    score: float
    signals: dict[str, float | None]

    @classmethod
    def of(cls, verdict: Verdict) -> "GateOut":
        signals = asdict(verdict)
        del signals["in_lore"]
        return cls(score=signals.pop("score"), signals=signals)


class SearchResponse(WireModel):
    hits: list[HitOut]
    in_lore: bool = Field(description="Whether the lore holds an answer at all.")
    gate: GateOut | None = Field(None, description="With `explain`: how that was judged.")
    lore_version: str


class AskRequest(GivenModel):
    question: VisibleText = Field(max_length=2000, examples=["When does the gate close?"])
    filter: FilterIn = FilterIn()
    limit: int = Field(5, ge=1, le=20, description="How many documents the model is given.")
    locale: Locale | None = None
    model: str | None = Field(None, max_length=300, description="An alias or `provider:name`.")
    deadline_ms: int | None = Field(None, ge=1, le=600_000)
    stream: bool = False


class CitationOut(WireModel):
    """`quote` is a verbatim span of the document; `score` says how much of it the answer repeats, 0 to 1."""

    document_id: str
    title: str
    quote: str
    score: float


class AskTiming(WireModel):
    """Milliseconds."""

    total_ms: float
    first_token_ms: float | None = None
    retrieval_ms: float
    model_ms: float | None = None


class AskResponse(WireModel):
    answer: str
    refused: bool
    reason: Literal["not_in_lore"] | None = Field(None, description="Why it was refused.")
    citations: list[CitationOut]
    model: ModelUsed | None = Field(description="Null when no model was asked.")
    usage: Usage
    cost: Cost | None
    timing: AskTiming
    lore_version: str


class JobStarted(WireModel):
    """A job has begun; `GET /v1/jobs/{job_id}` tells how it goes."""

    job_id: str
    kind: str = Field(examples=["ingest"])
    status: str = Field(examples=["queued"])
    accepted: int | None = Field(None, description="Documents of an ingest that were taken.")
    rejected: int | None = Field(None, description="Faults found in it; the job names each with its line.")
