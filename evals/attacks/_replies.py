"""A grammar of what a server may answer: right, nearly right, and nothing of the kind."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from tools.connection.protocol import Command, Reply, ServerError

NUMBERS = (
    "0", "-1", "-0", "1", "+5", "2147483648", "9223372036854775807", "9223372036854775808", "18446744073709551615",
    "9" * 400, "-" + "9" * 30, "1e308", "1e999", "nan", "inf", "-inf", "0x10", "1_000", "\u0663\u0664",
    "\uff11\uff12", "1.5.2", "", " ",
    "1.", ".5", "-", "many", "\x00", "\N{PILE OF POO}", "5" * 19, "1" + "0" * 18,
)  # fmt: skip
"""In place of a number in a text."""
ODD: tuple[Reply, ...] = (
    "OK", "", None, 0, -1, 1, 2**63 - 1, -(2**63), "PONG", "QUEUED", [], [[]], [None], [None, None], [1], ["a"],
    [1, 2, 3],
    ["a", "b", "c"], [["a"]], [["a", 1]], [[1, 2, 3, 4]], [[1, 2, 3, []]], [[1, 2, 3, [None]]], [["x", -1, -1, -1]],
    "\r\n", "\r\n" * 50, "# Server\r\n", "# Server\r\n:\r\n=\r\n", "x" * 5000, "=" * 300, " " * 500,
    "\x00\x1b[2J\u202e",
    ServerError(""), ServerError("ERR"), ServerError("ERR unknown command"), ServerError("NOPERM no"), "1", "0",
    ServerError("MOVED x y"), ServerError("\x1b[2J" * 20), ServerError("LOADING"), ServerError("BUSY"),
    ["name", "x", "ip", "", "port", "99999999999"], [["name", "x", "ip", "127.0.0.1", "port", "-1", "flags", ""]],
    [["message", None]], ["0", []], ["0", [None]], [0, ["a"]], ["5", ["k"] * 50], [[[[[["deep"]]]]]],
)  # fmt: skip
"""In place of a whole reply."""
Twist = Callable[[random.Random, Command, Reply], Reply]
"""What becomes of the right reply to a command."""


def of_one_mind(rng: random.Random) -> Twist:
    """A server that says one thing to everything."""
    text = rng.choice(ODD)
    return lambda rng, command, right: text


def one_replaced(rng: random.Random) -> Twist:
    """A server whose reply to one command, among those that matter, is another."""
    word, text = rng.choice(COMMANDS), rng.choice(ODD)
    return lambda rng, command, right: text if named(command).startswith(word) else right


def at_random(rng: random.Random) -> Twist:
    """A server that says anything."""
    return lambda rng, command, right: rng.choice(ODD)


def twisted(rng: random.Random) -> Twist:
    """A server that is nearly right, in places."""
    share, texts = rng.choice((0.01, 0.05, 0.3)), rng.choice((0.0, 0.02, 0.2, 1.0))
    return lambda rng, command, right: _twisted(rng, right, share, texts)


SERVERS = (of_one_mind, one_replaced, one_replaced, at_random, twisted, twisted, twisted, twisted)
COMMANDS = (
    "PING", "INFO", "CLIENT", "CLIENT LIST", "CLIENT ID", "CONFIG GET", "SLOWLOG", "SLOWLOG GET", "SLOWLOG LEN",
    "LATENCY",
    "LATENCY LATEST", "LATENCY HISTORY", "LATENCY HISTOGRAM", "LATENCY DOCTOR", "MEMORY", "MEMORY STATS", "ACL",
    "ACL LOG",
    "ACL WHOAMI", "CLUSTER", "CLUSTER INFO", "CLUSTER NODES", "CLUSTER SLOT-STATS", "ROLE", "TIME", "SCAN", "XINFO",
    "XINFO GROUPS", "XINFO CONSUMERS", "XLEN", "SENTINEL", "SENTINEL MASTERS", "SENTINEL MASTER", "SENTINEL REPLICAS",
    "SENTINEL SENTINELS", "SENTINEL CKQUORUM", "HELLO", "COMMANDLOG", "FUNCTION", "AUTH", "PSUBSCRIBE",
)  # fmt: skip


def named(command: Command) -> str:
    """The command's first two words."""
    return " ".join(str(word).upper() for word in command[:2])


def _twisted(rng: random.Random, value: Any, share: float, texts: float) -> Reply:
    if rng.random() < share:
        return rng.choice(ODD)
    if isinstance(value, list):
        parts = [_twisted(rng, part, share, texts) for part in value]
        if parts and rng.random() < share:
            return rng.choice((parts[:-1], [*parts, parts[0]], parts[1:], parts * 2, parts[::-1]))
        return parts
    if isinstance(value, int) and rng.random() < texts:
        return rng.choice((0, -1, 2**63 - 1, -(2**63), value + 1, str(value), 10**17))
    if isinstance(value, str) and rng.random() < texts:
        return text(rng, value)
    return value


def text(rng: random.Random, value: str) -> str:
    """A text with some of its lines and its numbers changed."""
    end = "\r\n" if "\r\n" in value else "\n"
    lines, share = value.split(end), rng.choice((0.02, 0.2, 1.0))
    how = rng.randrange(8)
    if how == 0:
        rng.shuffle(lines)
    elif how == 1:
        lines = [line for line in lines if rng.random() > share]
    elif how == 2:
        lines = [line for line in lines for _ in range(1 + (rng.random() < share))]
    else:
        lines = [_line(rng, line) if rng.random() < share else line for line in lines]
    return end.join(lines)


def _line(rng: random.Random, line: str) -> str:
    mark = next((mark for mark in (":", "=", " ") if mark in line), "")
    if not mark:
        return rng.choice((*NUMBERS, line * 2))
    head, _, tail = line.partition(mark)
    how = rng.randrange(6)
    if how == 0:
        return head
    if how == 1:
        return f"{mark}{tail}"
    if how == 2 and "," in tail:
        parts = tail.split(",")
        at = rng.randrange(len(parts))
        parts[at] = f"{parts[at].partition('=')[0]}={rng.choice(NUMBERS)}"
        return f"{head}{mark}{','.join(parts)}"
    if how == 3 and "=" in line:
        words = line.split(" ")
        at = rng.randrange(len(words))
        words[at] = f"{words[at].partition('=')[0]}={rng.choice(NUMBERS)}"
        return " ".join(words)
    if how == 4:
        return f"{head}{mark}{tail}{mark}{tail}"
    return f"{head}{mark}{rng.choice(NUMBERS)}"


def wire(rng: random.Random, reply: Reply) -> bytes:
    """A reply as bytes, now and then in a form that was never asked for, or broken."""
    if rng.random() < 0.01:
        return rng.choice(BROKEN)
    if isinstance(reply, ServerError):
        return f"-{_one_line(reply.text)}\r\n".encode(errors="surrogatepass")
    if reply is None:
        return rng.choice((b"$-1\r\n", b"*-1\r\n", b"_\r\n"))
    if isinstance(reply, int):
        return f":{reply}\r\n".encode()
    if isinstance(reply, list):
        mark = rng.choice("*" * 20 + "~>")
        return f"{mark}{len(reply)}\r\n".encode() + b"".join(wire(rng, one) for one in reply)
    data = str(reply).encode(errors="surrogatepass")
    if rng.random() < 0.02 and data.isascii() and data == _one_line(str(reply)).encode():
        return b"+" + data + b"\r\n"
    if rng.random() < 0.01:
        return b"=%d\r\ntxt:%s\r\n" % (len(data) + 4, data)
    return b"$%d\r\n%s\r\n" % (len(data), data)


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


BROKEN: Sequence[bytes] = (
    b"", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28", b"$-5\r\n", b"$5\r\nabc\r\n", b"*?\r\n",
    b"*1000000000\r\n", b"$1000000000\r\n", b"*1\r\n" * 60, b"%1\r\n+a\r\n", b":\r\n", b":9" + b"9" * 40 + b"\r\n",
    b"+OK\r\n" * 9000, b"|1\r\n+a\r\n+b\r\n" * 500 + b"+OK\r\n", b"(" + b"9" * 5000 + b"\r\n", b",nan\r\n", b"#t\r\n",
    b"\xff\xfe" * 100, b"*3\r\n$1\r\na\r\n", b">2\r\n+message\r\n*0\r\n", b"!5\r\nERR x\r\n", b"*-2\r\n",
)  # fmt: skip
