"""Prompts: named templates whose numbered versions never change, the aliases that point to one of them, and what is said
instead of asking a model."""

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llmops_api.core.terms import language_of
from llmops_api.errors import NotFound

PRODUCTION = "production"
_SUFFIX = ".jinja"


@dataclass(frozen=True, slots=True)
class Rendered:
    """The two messages of a prompt, and `name@version`, the exact words that made them."""

    version: str
    system: str
    user: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of a template. Every value that enters it is escaped, so data cannot close the marks around it."""

    name: str
    number: int
    template: Template

    @property
    def version(self) -> str:
        return f"{self.name}@{self.number}"

    def block(self, block: str, **data: Any) -> str:
        """One block of it; a variable that is missing raises `jinja2.UndefinedError`."""
        context = self.template.new_context(data)
        return "".join(self.template.blocks[block](context)).strip()

    def render(self, **data: Any) -> Rendered:
        return Rendered(self.version, self.block("system", **data), self.block("user", **data))


class PromptLibrary:
    """The prompts of a folder, read once: `name/number.jinja`, `aliases.json` (name to alias to number), and
    `refusals.json` (a sentence for each language code; English is always there)."""

    def __init__(self, folder: Traversable) -> None:
        self._aliases: Mapping[str, Mapping[str, int]] = json.loads((folder / "aliases.json").read_text("utf-8"))
        self._refusals: Mapping[str, str] = json.loads((folder / "refusals.json").read_text("utf-8"))
        self._prompts = {name: dict(_versions(folder / name)) for name in self._aliases}

    @classmethod
    def of_package(cls) -> "PromptLibrary":
        """The prompts that ship with this service."""
        return cls(files("llmops_api") / "prompts")

    def get(self, name: str, version: int | str = PRODUCTION) -> Prompt:
        """By number or alias. Raises `NotFound`."""
        number = self._aliases.get(name, {}).get(version) if isinstance(version, str) else version
        prompt = self._prompts.get(name, {}).get(number) if number else None
        if prompt is None:
            raise NotFound(f"There is no prompt {name!r} with the version or alias {version!r}.")
        return prompt

    def render(self, name: str, version: int | str = PRODUCTION, **data: Any) -> Rendered:
        """Both messages with the data in them. Raises `NotFound`."""
        return self.get(name, version).render(**data)

    def refusal(self, locale: str) -> str:
        """That the lore does not hold the answer, in the language of the locale, else in English."""
        return self._refusals.get(language_of(locale), self._refusals["en"])


def _versions(folder: Traversable) -> list[tuple[int, Prompt]]:
    environment = ImmutableSandboxedEnvironment(
        finalize=_escaped, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    numbers = [int(file.name.removesuffix(_SUFFIX)) for file in folder.iterdir() if file.name.endswith(_SUFFIX)]
    sources = {number: (folder / f"{number}{_SUFFIX}").read_text("utf-8") for number in numbers}
    return [(number, Prompt(folder.name, number, environment.from_string(text))) for number, text in sources.items()]


def _escaped(value: Any) -> str:
    """Angle brackets and ampersands only: autoescape would also spell every apostrophe as an entity, and models copy it."""
    return html.escape(str(value), quote=False)
