"""The settings of this machine, and what is wrong with them in words that say what to change."""

import os
import re
from difflib import get_close_matches
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import SettingsError

from llmops_api.cli.failures import WrongUse
from llmops_api.settings import Settings

_OTHERS = frozenset({"LLMOPS_URL", "LLMOPS_KEY", "LLMOPS_PRODUCTION_PORT", "LLMOPS_TEST_DATA"})
"""Read by commands, by Compose and by the tests. Nested names are those of the technologies, each of which knows its own."""


def local_settings(**given: Any) -> Settings:
    """The settings of this machine, with what was given on the command line. Raises `WrongUse`, naming each fault."""
    try:
        return Settings(**given)
    except ValidationError as error:
        raise WrongUse("\n".join(dict.fromkeys(map(_sentence, error.errors())))) from error
    except SettingsError as error:
        raise WrongUse(_unreadable(error)) from error


def misspelt() -> list[str]:
    """A sentence for each `LLMOPS_...` of the environment or of `.env` that no setting has read."""
    names = {f"LLMOPS_{name}".upper() for name in Settings.model_fields}
    found = {*os.environ, *dotenv_values(".env")}
    unknown = sorted(name for name in found if name.startswith("LLMOPS_") and "__" not in name)
    return [_unknown(name, names) for name in unknown if name.upper() not in names | _OTHERS]


def _unknown(name: str, names: set[str]) -> str:
    near = get_close_matches(name.upper(), names, n=1)
    return f"{name} is no setting" + (f"; is it {near[0]}?" if near else "; the README lists them.")


def _sentence(fault: Any) -> str:
    return str(fault["ctx"]["error"]) if fault["type"] == "value_error" else _must_be(fault["loc"][0])


def _unreadable(error: SettingsError) -> str:
    """Of the setting that is not JSON, the error holds the name in its text alone."""
    named = re.search(r'field "(\w+)"', str(error))
    return _must_be(named[1]) if named else "A setting LLMOPS_... of the environment or of .env cannot be read."


def _must_be(field: str) -> str:
    return f"LLMOPS_{field.upper()} must be {Settings.model_fields[field].description}."
