"""What a server prints of a value that it was given, and how a file writes it."""

import pytest

from tools.gate.equality import config_lines, equal_values

PRINTED = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"


@pytest.mark.parametrize(
    ("parameter", "given", "printed", "same"),
    [
        ("timeout", "300", "300", True), ("timeout", "300", "301", False), ("timeout", "300", None, False),
        ("maxmemory", "1gb", "1073741824", True), ("maxmemory", "1g", "1073741824", False),
        ("maxmemory-policy", "allkeys-lru", "noeviction", False),
        ("client-output-buffer-limit", "pubsub 32mb 8mb 60", PRINTED, True),
        ("client-output-buffer-limit", "replica 256mb 64mb 60", PRINTED, True),
        ("client-output-buffer-limit", "replica 256mb 64mb 61", PRINTED, False),
        ("client-output-buffer-limit", "pubsub 32mb 8mb 60 normal 0 0 0", PRINTED, True),
        ("client-output-buffer-limit", "pubsub 32mb 8mb 60 normal 1mb 0 0", PRINTED, False),
        ("client-output-buffer-limit", "", PRINTED, False), ("client-output-buffer-limit", "pubsub 1", PRINTED, False),
        ("client-output-buffer-limit", "master 0 0 0", PRINTED, False),
        ("notify-keyspace-events", "KEA", "AKE", True), ("notify-keyspace-events", "Kg$lshzxetd", "AK", True),
        ("notify-keyspace-events", "KEA", "AK", False), ("notify-keyspace-events", "Am", "A", False),
        # Of other parameters letters in another order are another value.
        ("loglevel", "ab", "ba", False),
    ],
)  # fmt: skip
def test_a_value_is_known_again_in_the_servers_form(
    parameter: str, given: str, printed: str | None, same: bool
) -> None:
    assert equal_values(parameter, given, printed) == same


@pytest.mark.parametrize(
    ("parameter", "value", "lines"),
    [
        ("timeout", "300", ["timeout 300"]), ("save", "", ['save ""']), ("loglevel", "", ['loglevel ""']),
        ("save", "3600 1", ["save 3600 1"]), ("save", "3600 1 300 100", ["save 3600 1", "save 300 100"]),
        ("save", "3600 1 300", ['save "3600 1 300"']), ("latency-tracking-info-percentiles", "50 99", [
            "latency-tracking-info-percentiles 50 99"]),
        ("client-output-buffer-limit", "normal 0 0 0 pubsub 1 2 3",
         ["client-output-buffer-limit normal 0 0 0", "client-output-buffer-limit pubsub 1 2 3"]),
        ("client-output-buffer-limit", "normal 0 0", ["client-output-buffer-limit normal 0 0"]),
    ],
)  # fmt: skip
def test_a_file_has_a_line_for_each_part(parameter: str, value: str, lines: list[str]) -> None:
    assert config_lines(parameter, value) == lines
