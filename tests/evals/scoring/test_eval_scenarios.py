"""The recorded incidents: told as they were, whole, small, and saying nothing that gives their answer away."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agent.recordings.replay import case, on_virtual_time
from evals.lab.catalogue import FAULTS
from evals.lab.covered import page
from evals.scoring.scenario import BUNDLED, Scenario, load
from tests.program import rediagnose
from tools.record.load import load as recording
from tools.record.redaction import REDACTED
from tools.record.tape import Tape
from tools.redact import HIDDEN, is_secret

SCENARIOS = load(BUNDLED)
RECORDED = [one for one in SCENARIOS if one.file == f"{one.id}.jsonl.gz"]
MOST = 10_000_000
GIVEAWAY = re.compile(
    r"(?<!no-)\b(?:rediagnose[ -]lab|lab|scenario|fault|evals?(?! )|evaluation|tests?|benchmark|shim|pytest)\b(?!\.)",
    re.IGNORECASE,
)
"""Words that an incident of a running system has no reason to hold."""
COMMAND_NAMES = re.compile(r"\beval(sha)?(_ro)?\b", re.IGNORECASE)


async def test_the_checks_miss_nothing_but_what_is_known() -> None:
    gate = str(BUNDLED / "known.toml")
    done = await rediagnose("eval", "--arm", "offline", "--gate", gate, "--format", "json")
    assert done.status == 0, done.out[-2000:] + done.err
    again = await rediagnose("eval", "--arm", "offline", "--gate", gate, "--format", "json")
    assert _timeless(json.loads(done.out)) == _timeless(json.loads(again.out))


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(part) for name, part in value.items() if name != "seconds"}
    return [_timeless(part) for part in value] if isinstance(value, list) else value


def test_every_fault_is_there_on_two_servers_where_two_can_have_it() -> None:
    kinds = Counter(one.fault for one in RECORDED)
    assert set(kinds) == set(FAULTS)
    once = {fault for fault, count in kinds.items() if count < 2}
    # What only one of the servers can have.
    assert once <= {"tls-mismatch-plain-client", "tls-mismatch-untrusted"}
    assert (BUNDLED / "README.md").read_text(encoding="utf-8") == page(SCENARIOS)


def test_they_are_small_together() -> None:
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) < MOST


@pytest.mark.parametrize("part", range(4))
def test_what_an_agent_sees_gives_nothing_away(part: int) -> None:
    names = re.compile("|".join(sorted(map(re.escape, {*FAULTS} - {one.cause for one in SCENARIOS}), reverse=True)))
    for one in RECORDED[part::4]:
        tape = Tape(recording(BUNDLED / one.file))
        told = on_virtual_time(_seen(tape, one))
        for text in told:
            found = GIVEAWAY.search(COMMAND_NAMES.sub("", text)) or names.search(text)
            assert not found, f"{one.id} ({one.fault}): {found and found[0]!r} in {text[:200]!r}"
            assert one.id not in text


async def _seen(tape: Tape, one: Scenario) -> list[str]:
    """All texts of the readings, and the report."""
    async with case(tape, one.ticket) as made:
        values = [
            str(value) for reading in made.readings() for value in (reading.values or {}).values()
            if isinstance(value, str)
        ]  # fmt: skip
    return [*values, one.ticket]


def test_no_path_of_the_machine_that_made_them() -> None:
    root = str(Path(__file__).resolve().parents[3])
    for one in RECORDED:
        text = gzip.decompress((BUNDLED / one.file).read_bytes()).decode()
        assert root not in text
        assert "/tmp/" not in text, one.id
        assert "site-packages" not in text, one.id


def test_no_secret_is_in_any_of_them() -> None:
    passwords = 0
    for one in RECORDED:
        for line in recording(BUNDLED / one.file).lines:
            if line.type != "ask":
                continue
            for command, reply in zip(line.commands, line.replies or [None] * len(line.commands), strict=True):
                words = [str(word).upper() for word in command[:2]]
                if words[0] == "AUTH":
                    assert set(command[1:]) == {HIDDEN}
                if words == ["CONFIG", "GET"] and isinstance(reply, list):
                    for name, value in zip(reply[::2], reply[1::2], strict=True):
                        if is_secret(name):
                            assert value in ("", HIDDEN), (one.id, name)
                            passwords += value == HIDDEN
                if words[0] in ("SLOWLOG", "COMMANDLOG") and words[1] == "GET" and isinstance(reply, list):
                    for entry in reply:
                        if str(entry[3][0]).upper() in ("AUTH", "HELLO", "MIGRATE"):
                            assert set(entry[3][1:]) <= {REDACTED, HIDDEN, "2", "3"} or entry[3][0].upper() != "AUTH"
    # Some of the servers had one.
    assert passwords
