"""Where a secret is, so that no settings file contains one."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from tools.errors import UsageError
from tools.files import MOST_SECRET, read_regular_text
from tools.records import Record


class SecretSource(Record):
    """An environment variable, or a file whose first line is the secret."""

    where: str
    """The setting that names it, for messages."""
    env: str | None = None
    file: Path | None = None

    @property
    def place(self) -> str:
        """Where it is, and which setting says so: for a log of this machine."""
        return f"{self.env or self.file}, by {self.where}"

    def read(self, environ: Mapping[str, str] = os.environ) -> SecretStr:
        """The secret. Raises `UsageError` naming the variable or file if it isn't there."""
        if self.env is not None:
            if not (value := environ.get(self.env, "").strip()):
                raise UsageError(f"{self.where}: {self.env} isn't set; set it")
            try:
                value.encode()
            except UnicodeEncodeError:
                raise UsageError(f"{self.where}: {self.env} isn't UTF-8; use UTF-8") from None
            return SecretStr(value)
        assert self.file is not None
        try:
            value = read_regular_text(self.file, MOST_SECRET).partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
            raise UsageError(f"{self.where}: {self.file}: {why}; give a readable text file") from None
        if not value:
            raise UsageError(f"{self.where}: {self.file}: its first line is empty; write the secret there")
        return SecretStr(value)
