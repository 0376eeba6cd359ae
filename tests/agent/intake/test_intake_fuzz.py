"""Whatever is done to a request, it is taken in or refused: nothing else ever happens."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from agent.intake.refused import Refused
from tests.agent.intake.test_senders import ALL, BEGINNINGS, ENDS, body_of
from tests.webhooks import Sent, sent, ticket

ROUNDS = 40
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 2**70, 10**400, "", "x", "\ud800", "\x00", [], {}, [[]], [None, 5], {"": None}, "ä" * 999,
    {"name": [{}]}, "2026-99-99T00:00:00Z", "0001-01-01T00:00:00+14:00", "https://[::1", ["a"] * 500, "NaN",
)  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in inner:
        yield (*path, key)
        yield from places(child, (*path, key))


def changed(rng: random.Random, body: Any) -> Any:
    body = copy.deepcopy(body)
    for _ in range(rng.randrange(1, 4)):
        *path, last = rng.choice(list(places(body)) or [(None,)])
        inner = body
        for key in path:
            inner = inner[key]
        if last is not None:
            inner[last] = copy.deepcopy(rng.choice(VALUES))
    return body


def damaged(rng: random.Random, raw: bytes) -> bytes:
    """Bytes of JSON cut, doubled or changed."""
    at, end = sorted(rng.randrange(len(raw) + 1) for _ in range(2))
    piece = rng.choice(
        (b"", raw[at:end] * 2, bytes(rng.randrange(256) for _ in range(3)), b"\xed\xa0\x80", b'"', b"[" * 99)
    )
    return raw[:at] + piece + raw[end:]


def check(request: Sent) -> None:
    result = request.received()
    if isinstance(result, Refused):
        assert 0 < len(result.why) < 2000 and result.why.isprintable()
    else:
        for one in result:
            assert one.key and one.ticket.title and one.model_dump_json() and one.ticket.symptom


@pytest.mark.parametrize("name", ALL)
def test_bodies_that_are_signed_and_wrong(name: str) -> None:
    rng = random.Random(name)
    bodies = [body_of(name), *([ticket(ENDS[name])] if name in ENDS else [])]
    bodies += [ticket(file) for file, _ in list(BEGINNINGS.values())[:3]]
    for _ in range(ROUNDS):
        body = rng.choice(bodies)
        check(sent(name, changed(rng, body)))
        check(sent(name, damaged(rng, json.dumps(body).encode())))


@pytest.mark.parametrize("name", ALL)
def test_headers_that_are_wrong(name: str) -> None:
    rng = random.Random(name)
    request = sent(name, body_of(name))
    texts = (
        "",
        " ",
        "\x00",
        "é",
        "v1=",
        "sha256=",
        "Basic",
        "Basic !",
        "Basic /w==",
        "Bearer",
        "1" * 5000,
        "\udcff",
        ",,,",
    )
    for _ in range(ROUNDS):
        headers = dict(request.headers)
        for header in rng.sample(sorted(headers), rng.randrange(1, len(headers) + 1)):
            value = headers[header]
            cut = value[: rng.randrange(len(value) + 1)] + rng.choice(texts)
            headers[header] = rng.choice((cut, rng.choice(texts)))
        check(request._replace(headers=headers))
