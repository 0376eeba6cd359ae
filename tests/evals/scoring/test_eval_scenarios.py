"""The recorded incidents: told as they were, whole, small, and saying nothing that gives their answer away."""

import gzip
import re
from collections import Counter
from pathlib import Path

from evals.lab.catalogue import FAULTS
from evals.lab.covered import page
from evals.scoring.scenario import BUNDLED, load
from tools.record.redaction import REDACTED
from tools.record.schema import LINE, Ask
from tools.redact import HIDDEN, is_secret

SCENARIOS = load(BUNDLED)
RECORDED = [one for one in SCENARIOS if one.file == f"{one.id}.jsonl.gz"]
MOST = 32_000_000


ONCE = {
    "tls-mismatch-plain-client", "tls-mismatch-untrusted", "tls-certificate-expired", "tls-certificate-expiring",
    "healthy-encrypted", "start-failed-tls", "open-slot-no-room", "healthy-moved-slots", "slow-search", "slow-json",
    "slow-json-write", "slow-vector", "healthy-search", "healthy-vectors",
    "replica-write-or-stale-scripts",
}  # fmt: skip
"""What only one of the servers can have."""
ONCE_YET: set[str] = set()
"""What has one recording so far: a second one takes it off this list."""
LATER = {id for id, fault in FAULTS.items() if fault.later}
"""What takes half an hour to record: one each is enough, where it's done."""


def test_every_fault_is_there_on_two_servers_where_two_can_have_it() -> None:
    kinds = Counter(one.fault for one in RECORDED)
    assert set(kinds) - LATER == FAULTS.keys() - LATER
    once = {fault for fault, count in kinds.items() if count < 2} - LATER
    assert ONCE_YET <= once <= ONCE | ONCE_YET
    assert (BUNDLED / "README.md").read_text(encoding="utf-8") == page(SCENARIOS)


def test_they_are_small_together() -> None:
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) < MOST


def test_no_path_of_the_machine_that_made_them() -> None:
    root = str(Path(__file__).resolve().parents[3])
    for one in RECORDED:
        text = gzip.decompress((BUNDLED / one.file).read_bytes()).decode()
        assert root not in text
        assert "/tmp/" not in text, one.id
        assert "site-packages" not in text, one.id


TELLING = re.compile(r'"(AUTH|CONFIG|SLOWLOG|COMMANDLOG)"', re.IGNORECASE)
"""In a line of a recording: a command that could hold a secret."""


def test_no_secret_is_in_any_of_them() -> None:
    passwords = 0
    for one in RECORDED:
        for text in gzip.decompress((BUNDLED / one.file).read_bytes()).decode().splitlines():
            # The rest needn't be parsed, which takes most of the time.
            if not TELLING.search(text) or not isinstance(line := LINE.validate_json(text), Ask):
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
