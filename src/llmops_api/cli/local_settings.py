"""The settings of this machine, and what is wrong with them in words that say what to change."""

import re
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from llmops_api.cli.failures import WrongUse
from llmops_api.settings import Settings


def local_settings(**given: Any) -> Settings:
    """The settings of this machine, with what was given on the command line. Raises `WrongUse`, naming each fault."""
    try:
        return Settings(**given)
    except ValidationError as error:
        raise WrongUse("\n".join(dict.fromkeys(map(_sentence, error.errors())))) from error
    except SettingsError as error:
        raise WrongUse(_unreadable(error)) from error


def _sentence(fault: Any) -> str:
    return str(fault["ctx"]["error"]) if fault["type"] == "value_error" else _must_be(fault["loc"][0])


def _unreadable(error: SettingsError) -> str:
    """Of the setting that is not JSON, the error holds the name in its text alone."""
    named = re.search(r'field "(\w+)"', str(error))
    return _must_be(named[1]) if named else "A setting LLMOPS_... of the environment or of .env cannot be read."


def _must_be(field: str) -> str:
    return f"LLMOPS_{field.upper()} must be {Settings.model_fields[field].description}."
