"""The file of results: a line of JSON for each run, so that one that was killed goes on where it was."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from evals.scoring.result import Key, Result
from evals.scoring.scenario import Scenario
from tools.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent.parent
CODE = ("agent", "tools", "prompts", "runbooks", "evals/scoring", "evals/lab")
"""What an answer, or what it's worth, may depend on."""
DIGITS = 16


class Kept(Result):
    """A line."""

    incident: str = ""
    """A digest of the recording, the ticket and what was there."""
    code: str = ""
    """A digest of the program that answered."""


class Results:
    """A file of results, for scenarios of a folder."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.file = file
        self._folder = folder
        self._digests: dict[str, str] = {}

    def had(self, wanted: Mapping[Key, Scenario]) -> tuple[dict[Key, Result], int]:
        """What needn't be had again, and how many lines are of another recording or program.

        What was invalid or failed is run again. Raises `UsageError`.
        """
        found: dict[Key, Result] = {}
        stale = set[Key]()
        for one in _lines(self.file):
            if one.key not in wanted or one.invalid is not None or one.error is not None:
                continue
            if (one.incident, one.code) == (self._incident(wanted[one.key]), revision()):
                found[one.key] = Result.model_validate(one.model_dump(exclude={"incident", "code"}))
            else:
                stale.add(one.key)
        return found, len(stale - found.keys())

    def keep(self, done: Result, scenario: Scenario) -> None:
        """Append a result."""
        line = Kept(**dict(done), incident=self._incident(scenario), code=revision())
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(f"{line.model_dump_json()}\n")

    def _incident(self, scenario: Scenario) -> str:
        # Several scenarios may be of one recording.
        if scenario.file not in self._digests:
            path = self._folder / scenario.file
            self._digests[scenario.file] = _digest(path.read_bytes()) if path.is_file() else ""
        return _digest(f"{self._digests[scenario.file]} {scenario.model_dump_json()}".encode())


def _lines(file: Path) -> Iterator[Kept]:
    """The lines of a file, which is made if it isn't there; a last line that was cut off is removed."""
    try:
        with file.open("ab+") as lines:
            lines.seek(0)
            whole = 0
            for line in lines:
                if not line.endswith(b"\n"):
                    lines.truncate(whole)
                    break
                whole += len(line)
                yield Kept.model_validate_json(line)
    except OSError as error:
        raise UsageError(f"-o {file}: {error}; give a file written by eval, or a new one") from None
    except ValidationError:
        raise UsageError(f"-o {file}: it isn't a file written by eval; give one, or a new one") from None


@cache
def revision() -> str:
    """A digest of this program's own files, so that a change that nobody committed counts as well."""
    whole = hashlib.sha256()
    for path in sorted(path for room in CODE for path in (ROOT / room).rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            whole.update(f"{path.relative_to(ROOT)} {_digest(path.read_bytes())}\n".encode())
    return whole.hexdigest()[:DIGITS]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]
