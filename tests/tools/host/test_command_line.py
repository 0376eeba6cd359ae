"""What a server's command line can have said, by its length."""

from pathlib import Path

import pytest

from tools.host.command_line import was_given
from tools.host.proc import Files

EXE, FILE = "/usr/bin/redis-server", "/etc/redis/redis.conf"
PID = 7


class Machine(Files):
    """A machine with one server, whose title stands where its arguments did."""

    def __init__(self, *arguments: str, title: str = f"{EXE} *:6379", told: bool = True) -> None:
        length = sum(len(one.encode()) + 1 for one in (EXE, *arguments))
        begin = 140_000 if told else 0
        places = ["S", *["0"] * 44, str(begin), str(begin + length if told else 0), "0"]
        self.files = {
            f"/proc/{PID}/cmdline": title + "\0" * max(0, length - len(title)),
            f"/proc/{PID}/stat": f"{PID} (redis-server) {' '.join(places)}",
        }

    def text(self, path: str | Path) -> str | None:
        return self.files.get(str(path))


@pytest.mark.parametrize(
    ("arguments", "running", "expected"),
    [
        ((FILE,), {"maxmemory": "104857600"}, False),
        (("redis.conf",), {"maxmemory": "104857600"}, False),
        ((FILE, "--maxmemory", "100mb"), {"maxmemory": "104857600"}, True),
        ((FILE, "--maxmemory", "104857600"), {"maxmemory": "104857600"}, True),
        ((FILE, "--maxmemory", "100mb", "--timeout", "50"), {"maxmemory": "104857600", "timeout": "50"}, True),
        ((FILE, "--client-output-buffer-limit", "pubsub", "69mb", "16mb", "60"),
         {"client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60 pubsub 72351744 16777216 60"}, True),
        ((FILE, "--save", "900 1"), {"save": "900 1"}, True),
        # Others were given, too: nobody knows which.
        ((FILE, "--port", "7000", "--maxmemory", "100mb"), {"maxmemory": "104857600"}, None),
        ((FILE, "--port", "7000", "--bind", "0.0.0.0"), {"maxmemory": "104857600"}, None),
        ((FILE, "--maxmemory", "100mb"), {}, None),
    ],
)  # fmt: skip
def test_its_length_says_what_it_had_room_for(
    arguments: tuple[str, ...], running: dict[str, str], expected: bool | None
) -> None:
    assert was_given(Machine(*arguments), PID, FILE, running) is expected


def test_what_is_hidden_or_has_another_title_says_nothing() -> None:
    running = {"maxmemory": "104857600"}
    assert was_given(Machine(FILE, told=False), PID, FILE, running) is None
    assert was_given(Machine(FILE, title="our redis"), PID, FILE, running) is None
    assert was_given(Files(), 2**30, FILE, running) is None


def test_many_spellings_are_not_tried_without_end() -> None:
    running = {f"amount-{number}": str(number << 30) for number in range(1, 30)}
    assert was_given(Machine(FILE, "--maxmemory", "100mb"), PID, FILE, running) is None
