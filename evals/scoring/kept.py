"""The file of results: a line of JSON for each run, so that one that was killed goes on where it was."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from evals.scoring.result import Key, Result
from evals.scoring.scenario import Scenario
from tools.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent.parent
CODE = ("agent", "tools", "prompts", "runbooks", "evals/scoring", "evals/lab")
"""What an answer, or what it's worth, may depend on."""
DIGITS = 16
_BEGINS = b'{"scenario":'
"""How a line begins."""


class Kept(Result):
    """A line."""

    incident: str = ""
    """A digest of the recording, the ticket and what was there."""
    code: str = ""
    """A digest of the program that answered."""


class Results:
    """A file of results, for scenarios of a folder. Memory holds no more of them than where their lines begin."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.file = file
        self._folder = folder

    def had(self, wanted: Mapping[Key, Scenario]) -> tuple[dict[Key, int], int]:
        """Where what needn't be had again begins, and how many lines are of another recording or program.

        What was invalid or failed is run again. Raises `UsageError`.
        """
        found: dict[Key, int] = {}
        stale = set[Key]()
        for begins, one in _lines(self.file):
            if one.key not in wanted or one.invalid is not None or one.error is not None:
                continue
            if (one.incident, one.code) == (self._incident(wanted[one.key]), revision()):
                found[one.key] = begins
            else:
                stale.add(one.key)
        return found, len(stale - found.keys())

    def keep(self, done: Result, scenario: Scenario) -> int:
        """Append a result; where it begins."""
        line = Kept(**dict(done), incident=self._incident(scenario), code=revision())
        with self.file.open("ab") as lines:
            begins = lines.tell()
            lines.write(f"{line.model_dump_json()}\n".encode())
        return begins

    def at(self, begins: Iterable[int]) -> Iterator[Result]:
        """The results that begin there."""
        with self.file.open("rb") as lines:
            for each in begins:
                lines.seek(each)
                line = Kept.model_validate_json(lines.readline())
                yield Result(**{name: getattr(line, name) for name in Result.model_fields})

    def _incident(self, scenario: Scenario) -> str:
        path = self._folder / scenario.file
        recording = _digest(path.read_bytes()) if path.is_file() else ""
        return _digest(f"{recording} {scenario.model_dump_json()}".encode())


@contextlib.contextmanager
def results(file: Path | None, folder: Path) -> Iterator[Results]:
    """The results in a file, or else in one that is gone afterwards."""
    if file:
        yield Results(file, folder)
        return
    with TemporaryDirectory(prefix="rediagnose-") as own:
        yield Results(Path(own, "results.jsonl"), folder)


def _lines(file: Path) -> Iterator[tuple[int, Kept]]:
    """The lines of a file and where each begins. It's made if it isn't there; what was cut off is removed.

    Raises `UsageError` for anybody else's file, which stays as it is.
    """
    foreign = UsageError(f"-o {file}: it isn't a file written by eval; give one, or a new one")
    if file.exists() and not file.is_file() and not file.is_dir():
        # A pipe would be waited for.
        raise foreign
    try:
        with file.open("ab+") as lines:
            lines.seek(0)
            whole = 0
            for line in lines:
                if not line.endswith(b"\n"):
                    if not whole and not line.startswith(_BEGINS):
                        # Somebody's own text may have no end of a line, either.
                        raise foreign
                    lines.truncate(whole)
                    break
                yield whole, Kept.model_validate_json(line)
                whole += len(line)
    except OSError as error:
        raise UsageError(f"-o {file}: {error}; give a file written by eval, or a new one") from None
    except ValidationError:
        raise foreign from None


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
