"""The base class of the settings.

A value comes from the environment, else from `$POKEWATCH_HOME/settings.env`, else from the
default. Nothing is read at import: call `read()` where the value is needed. A malformed value
raises SettingsError, which names the variable and the value; secrets are never shown.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import AliasChoices, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pokewatch.errors import SettingsError

PREFIX = "POKEWATCH_"


def home_folder() -> Path:
    """Return the folder that holds all state: POKEWATCH_HOME, or `~/.pokewatch`."""
    path = os.environ.get(f"{PREFIX}HOME") or "~/.pokewatch"
    try:
        folder = Path(path).expanduser().absolute()
        str(folder).encode()
        return folder
    except UnicodeEncodeError:
        raise SettingsError(
            f"{PREFIX}HOME {path!r}: the path is not UTF-8; use another folder"
        ) from None
    except RuntimeError:
        raise SettingsError(
            f"{PREFIX}HOME {path!r}: no such user; use the path of a folder"
        ) from None


class Section(BaseSettings):
    """Base class of a group of settings."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = home_folder() / "settings.env"
        try:
            file = DotEnvSettingsSource(settings_cls, env_file=path)
        except (OSError, UnicodeDecodeError) as error:
            if not os.access(path.parent, os.X_OK):
                raise SettingsError(
                    f"{PREFIX}HOME {str(path.parent)!r}: cannot be accessed (Permission denied); "
                    "use a folder of this user"
                ) from None
            raise SettingsError(
                f"{path} cannot be read ({error}): make it a readable UTF-8 text file"
            ) from None
        return init_settings, env_settings, file

    @classmethod
    def read(cls, **given: Any) -> Self:
        """Return the section. Values of `given` take precedence; None means "not given"."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            faults = "; ".join(cls._fault(dict(fault)) for fault in error.errors())
            raise SettingsError(faults) from None

    @classmethod
    def variable(cls, name: str) -> str:
        """Return the environment variable of the field `name`."""
        alias = cls.model_fields[name].validation_alias
        if isinstance(alias, AliasChoices):
            return str(alias.choices[0])
        return str(alias) if alias else f"{PREFIX}{name}".upper()

    @classmethod
    def _fault(cls, fault: dict[str, Any]) -> str:
        location = str(fault["loc"][0]) if fault["loc"] else cls.__name__
        named = {cls.variable(name).lower(): name for name in cls.model_fields}
        name = location if location in cls.model_fields else named.get(location.lower(), location)
        variable = cls.variable(name) if name in cls.model_fields else location
        secret = name in cls.model_fields and _is_secret(cls.model_fields[name])
        value = "" if secret else f" {_without_credentials(fault['input'])!r}"
        return f"{variable}{value}: {_remedy(fault)}"


_REMEDIES = {
    "int_parsing": "use a whole number",
    "int_from_float": "use a whole number",
    "float_parsing": "use a number",
    "finite_number": "use a finite number",
    "bool_parsing": "use true or false",
    "greater_than": "use a number above {gt}",
    "greater_than_equal": "use a number of at least {ge}",
    "less_than": "use a number below {lt}",
    "less_than_equal": "use a number of at most {le}",
    "literal_error": "use {expected}",
    "too_short": "use at least {min_length}, comma-separated",
    "string_unicode": "use UTF-8",
    "string_pattern_mismatch": "use a value that matches {pattern}",
}


def _remedy(fault: Mapping[str, Any]) -> str:
    """Return which values would be valid in place of the one at fault."""
    template = _REMEDIES.get(fault["type"])
    if template:
        return template.format(**fault.get("ctx", {}))
    return str(fault["msg"]).removeprefix("Value error, ")  # which pydantic puts before our texts


def _without_credentials(given: Any) -> Any:
    """Return an address without what may be a password, which may itself contain `@` and `/`."""
    return re.sub(r"(?<=://)\S*@", "", given) if isinstance(given, str) else given


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))
