"""An incident of which somebody said what it was, written as a scenario that `rediagnose eval` scores."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

from agent.answer.diagnosis import Diagnosis
from agent.answer.taxonomy import CAUSES, WELL
from tools.credentials import hide_secrets
from tools.errors import UsageError
from tools.files import read_regular
from tools.record.load import MOST, load
from tools.record.tape import Tape

INDEX = "index.json"
_MOST_INDEX = 32 * 2**20
_MAGIC = b"\x1f\x8b"


def add_scenario(folder: Path, id: str, recording: Path, answer: Diagnosis, cause: str) -> Path:
    """Add a recording to a folder's index, or replace the one with this id; where it is now.

    What was reported is taken from the recording. Raises `UsageError` for a recording or an index that can't be used,
    and `OSError`.
    """
    if cause not in CAUSES and cause not in WELL:
        raise UsageError(f"{cause[:100]!r} isn't the id of a cause; `rediagnose runbooks list` has them")
    head = Tape(load(recording)).head
    folder.mkdir(parents=True, exist_ok=True)
    known = [one for one in _index(folder / INDEX) if one.get("id") != id]
    target = answer.target
    version = ".".join((target.version or "").split(".")[:2])
    scenario = {
        "id": id, "file": f"{id}.jsonl.gz", "fault": "incident",
        "family": CAUSES[cause].family if cause in CAUSES else "benign" if cause == "no-fault" else cause,
        "kind": f"{target.server}-{version}" if target.server and version else "unknown", "seed": 0,
        "cause": cause, "also": [], "expected": [cause], "ticket": hide_secrets(head.symptom), "twin": None,
        "benign": cause == "no-fault", "never": [], "attack": None,
        "server": f"{target.server} {target.version}" if target.server and target.version else "",
    }  # fmt: skip
    content = read_regular(recording, MOST)
    file = folder / f"{id}.jsonl.gz"
    _replace(file, content if content.startswith(_MAGIC) else gzip.compress(content, mtime=0))
    _replace(folder / INDEX, f"{json.dumps({'schema': 1, 'scenarios': [*known, scenario]}, indent=1)}\n".encode())
    return file


def _index(file: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(read_regular(file, _MOST_INDEX))
        scenarios = found["scenarios"]
        assert isinstance(scenarios, list) and all(isinstance(one, dict) for one in scenarios)
        return scenarios
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, AssertionError):
        raise UsageError(f"{file}: it isn't an index of scenarios; give another folder with -o") from None


def _replace(file: Path, content: bytes) -> None:
    new = file.with_name(f".{file.name}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out:
        out.write(content)
    new.replace(file)
