"""Replies out of bytes: whole or in pieces the same, and none beyond its bounds."""

import random
import tracemalloc

import pytest

from tools.connection.parser import MISSING, MOST_ELEMENTS, NotTheProtocol, ReplyParser, TooLarge
from tools.connection.protocol import Reply, ServerError

MOST = 2**20


def parsed(data: bytes, *, pieces: int | None = None, most: int = MOST) -> list[Reply]:
    parser, found = ReplyParser(), []
    size = pieces or len(data)
    for begin in range(0, len(data), size):
        parser.feed(data[begin : begin + size])
        while (reply := parser.reply(most)) is not MISSING:
            found.append(reply)
    return [f"error {one.text}" if isinstance(one, ServerError) else one for one in found]


@pytest.mark.parametrize(
    ("data", "replies"),
    [
        (b"+OK\r\n:-5\r\n$-1\r\n*-1\r\n_\r\n", ["OK", -5, None, None, None]),
        (b"$0\r\n\r\n*0\r\n*2\r\n*0\r\n*1\r\n$3\r\na\r\n\r\n", ["", [], [[], ["a\r\n"]]]),
        (b"-ERR no\r\n!6\r\nERR no\r\n", ["error ERR no", "error ERR no"]),
        (b"%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n+c\r\n>1\r\n+d\r\n", [["a", 1, "b", ["c"]], ["d"]]),
        (b",1.5\r\n,inf\r\n#t\r\n#f\r\n(" + b"9" * 400 + b"\r\n", ["1.5", "inf", 1, 0, "9" * 400]),
        (b"=7\r\ntxt:abc\r\n", ["abc"]),
        (b"|1\r\n+a\r\n*1\r\n+b\r\n+real\r\n*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n|0\r\n:3\r\n", ["real", [1, 2], 3]),
        (b"$4\r\n\xff\xfe\xc3\xa9\r\n", ["\\xff\\xfeé"]),
    ],
)
@pytest.mark.parametrize("pieces", [None, 1, 2, 3])
def test_replies_in_whatever_pieces(data: bytes, replies: list[Reply], pieces: int | None) -> None:
    assert parsed(data, pieces=pieces) == replies


@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1", b"\x15\x03", b"$-2\r\n", b"$x\r\n", b"*?\r\n", b"$?\r\n", b":1e3\r\n", b":9223372036854775808\r\n",
     b":" + "٣".encode() + b"\r\n", b"$1\r\nabc", b"*\r\n", b"$ 1\r\n", b"*+1\r\n"],
)  # fmt: skip
def test_what_is_no_reply(data: bytes) -> None:
    with pytest.raises(NotTheProtocol):
        parsed(data)


@pytest.mark.parametrize(
    "data",
    [
        b"$1000000000\r\n", b"*1000000000\r\n", b"%200000\r\n", b"*1\r\n" * 40, b"+" + b"x" * 70_000,
        b"$" + b"9" * 70_000,
        b"$999999\r\n" + b"x" * 999_999 + b"\r\n$1048577\r\n", b"(" + b"1" * 2**17,
        b"$1000000\r\n" + b"\xff" * 1_000_000 + b"\r\n",
        b"*3\r\n" + (b"$999999\r\n" + b"x" * 999_999 + b"\r\n") * 2,
    ],
)  # fmt: skip
def test_what_is_too_large_is_refused_before_it_is_there(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            parsed(data, pieces=2**16)
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data", [b"|1\r\n+a\r\n+b\r\n" * 200_000, b"*100000\r\n" + b":1\r\n" * 99_999 + b"*200000\r\n"]
)
def test_too_many_values_are_refused(data: bytes) -> None:
    # Without tracemalloc, which takes eight times as long as the parser.
    with pytest.raises(TooLarge, match="values"):
        parsed(data, pieces=2**16)


def test_lists_come_out_the_same_whole_and_byte_by_byte() -> None:
    rng = random.Random(7)

    def one(depth: int) -> bytes:
        kind = rng.randrange(9 if depth < 4 else 8)
        text = rng.choice((b"", b"a", b"maxmemory", b"a\r\nb", "é".encode(), b"\xff\xfe", b"x" * 300))
        if kind < 4:
            return b"$%d\r\n%s\r\n" % (len(text), text)
        if kind == 8:
            count = rng.randrange(6)
            return b"*%d\r\n%s" % (count, b"".join(one(depth + 1) for _ in range(count)))
        number = rng.choice((0, -3, 10**6, 10**17, 2**63 - 1, -(2**63)))
        return (b":%d\r\n" % number, b":+7\r\n", b"$-1\r\n", b"+OK\r\n")[kind - 4]

    for _ in range(500):
        data = b"*8\r\n" + b"".join(one(1) for _ in range(8))
        assert parsed(data) == parsed(data, pieces=1)


def test_a_list_of_usual_strings_is_held_to_its_bytes_too() -> None:
    data = b"*100\r\n" + b"$9\r\nmaxmemory\r\n" * 100
    assert parsed(data, most=len(data)) == [["maxmemory"] * 100]
    with pytest.raises(TooLarge):
        parsed(data, most=len(data) // 2)


def test_any_bytes_end_in_replies_or_in_a_refusal() -> None:
    rng = random.Random(4)
    pieces = [b"\r\n", b"$", b"*", b"%", b"|", b">", b"~", b"(", b"=", b":", b"+", b"-", b"#", b"_", b",", b"!", b"0"]
    pieces += [b"1", b"2", b"-1", b"3\r\nabc\r\n", b"\xff", b"?", str(MOST_ELEMENTS).encode()]
    for _ in range(5000):
        data = b"".join(rng.choices(pieces, k=rng.randrange(1, 30)))
        try:
            parsed(data, pieces=rng.choice((None, 1, 3)))
        except (NotTheProtocol, TooLarge):
            continue
