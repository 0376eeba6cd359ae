"""What the tables of rediagnose.toml have in common: where a secret is, and whether the file may say so."""

import os
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    PrivateAttr,
    StringConstraints,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tools.errors import UsageError
from tools.records import Record
from tools.settings.secret_source import SecretSource

FILE, VARIABLE = "rediagnose.toml", "REDIAGNOSE_CONFIG"


class Context(NamedTuple):
    """The context in which a table of the file is read."""

    file: Path
    environ: Mapping[str, str]
    trusted: bool = True
    """Whether it may say where credentials go."""


def context_of(info: ValidationInfo) -> Context:
    return info.context if isinstance(info.context, Context) else Context(Path(FILE), {})


def _beside_file(path: object, info: ValidationInfo) -> object:
    """A path relative to the settings file itself, as its author means it."""
    return context_of(info).file.parent / os.path.expanduser(path) if isinstance(path, str) and path else path


def problem(why: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{why}", {"why": why})


Text = Annotated[str, StringConstraints(min_length=1)]
BesideFile = Annotated[Path, BeforeValidator(_beside_file)]


class Table(Record):
    """A table of the file: `X_env` and `X_file` name where the secret X is."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)
    _file: Path | None = PrivateAttr(None)
    _trusted: bool = PrivateAttr(True)

    @model_validator(mode="after")
    def _check_sources(self, info: ValidationInfo) -> Self:
        self._file = context_of(info).file if info.context else None
        self._trusted = context_of(info).trusted
        for key in (name.removesuffix("_env") for name in type(self).model_fields if name.endswith("_env")):
            if getattr(self, f"{key}_env") and getattr(self, f"{key}_file"):
                raise problem(f"{key}_env and {key}_file: keep only one")
        return self

    @property
    def file(self) -> Path | None:
        """The file it comes from; null for the defaults."""
        return self._file

    @property
    def trusted(self) -> bool:
        """Whether it may say where a credential goes."""
        return self._trusted

    def must_be_trusted(self, harmless: Collection[str] = ()) -> None:
        """Raise `UsageError` if an untrusted file sets more here than what is `harmless`."""
        if not self._trusted and (keys := sorted(self.deciding(harmless))):
            raise self._untrusted(", ".join(keys))

    def deciding(self, harmless: Collection[str] = ()) -> list[str]:
        """The keys that decide where a credential goes, or which one: all except those known to be `harmless`."""
        fields = type(self).model_fields
        return [fields[name].alias or name for name in fields if name in self.model_fields_set - set(harmless)]

    def _untrusted(self, what: str) -> UsageError:
        return UsageError(
            f"{self.file}: {what} would decide where a credential is sent, or who may send or approve, but "
            f"this file isn't trusted: look at it, then "
            f"run `rediagnose trust {shlex.quote(str(self.file))}`, or name it by REDIAGNOSE_CONFIG"
        )

    def _source(self, key: str) -> SecretSource | None:
        env, file = getattr(self, f"{key}_env"), getattr(self, f"{key}_file")
        where = f"{self.file}: {key}_{'env' if env else 'file'}"
        if (env or file) and not self._trusted:
            raise self._untrusted(f"{key}_{'env' if env else 'file'}")
        return SecretSource(where=where, env=env, file=file) if env or file else None
