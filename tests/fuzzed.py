"""An endpoint that does to its answers whatever can be done to bytes and to JSON, by a seed."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

TOOLS = (
    "ping",
    "info",
    "clients",
    "read_runbook",
    "reading",
    "submit_diagnosis",
    "submit_diagnosis",
    "propose_config_set",
    "nosuch",
    "",
)
TEXTS = ("", "Größe: ünïcödé ☃ 😀 " * 5, "a\u2028b\x1b[2J", '<tool_call>{"name": "ping"}', "{" * 300, "\ud83d")
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 2**70, "", "x", "\ud800", [], {}, [[]], {"name": None}, [None, 5], "NaN", "null",
)  # fmt: skip
MOST_WAIT = 0.6


def arguments(rng: random.Random) -> str:
    """A call's arguments: right, nearly right, or nothing of the kind."""
    cited = {
        "reading": f"r{rng.randrange(9)}",
        "field": rng.choice(("reply", "maxclients", "")),
        "value": rng.choice(VALUES),
    }
    given: Any = rng.choice((
        {"sections": ["cpu"], "window": 0}, {}, {"name": "timeouts"}, {"parameter": "hz", "value": "20", "why": "x"},
        {"outcome": "no-fault", "causes": []},
        {"outcome": "diagnosed", "causes": [{"id": "thp", "probability": rng.choice(VALUES), "evidence": [cited]}]},
        {"outcome": "diagnosed", "causes": rng.choice(VALUES), "ruled_out": rng.choice(VALUES), "actions": [{}]},
    ))  # fmt: skip
    text = json.dumps(given)
    how = rng.randrange(8)
    if how == 0:
        return text[: rng.randrange(len(text) + 1)]
    if how == 1:
        return text.replace('"', "'")
    if how == 2:
        return "[" * rng.choice((10, 5000)) + text
    if how == 3:
        return json.dumps(text)
    return text


def message(rng: random.Random) -> dict[str, Any]:
    """An answer in the format."""
    calls = [
        {"index": number, "id": rng.choice(("a", "a", "", None, f"c{number}")), "type": "function",
         "function": {"name": rng.choice(TOOLS), "arguments": arguments(rng)}}
        for number in range(rng.choice((0, 1, 1, 2, 12)))
    ]  # fmt: skip
    return {"role": "assistant", "content": rng.choice(TEXTS), "tool_calls": calls}


def twisted(rng: random.Random, value: Any, share: float) -> Any:
    """The value with some parts of another type."""
    if rng.random() < share:
        return rng.choice(VALUES)
    if isinstance(value, dict):
        return {key: twisted(rng, part, share) for key, part in value.items()}
    if isinstance(value, list):
        return [twisted(rng, part, share) for part in value]
    return value


def nested(rng: random.Random) -> str:
    deep = rng.choice((50, 3000, 60_000))
    return '{"choices":' + "[" * deep + "]" * rng.choice((deep, 0)) + "}"


def body(rng: random.Random, *, stream: bool) -> bytes:
    """The bytes of an answer."""
    said = message(rng)
    if rng.random() < 0.1:
        said["content"] = "☃ huge " * rng.choice((20_000, 300_000, 1_200_000))
    usage = rng.choice((None, {"prompt_tokens": 10, "completion_tokens": 5}, {"prompt_tokens": "x"}, 7))
    choice = {"index": 0, "message": said, "finish_reason": rng.choice(("stop", "tool_calls", "length", None, 5))}
    if not stream or rng.random() < 0.1:
        whole = {"choices": [choice], "usage": usage}
        return json.dumps(twisted(rng, whole, rng.choice((0, 0, 0.05, 0.3)))).encode()
    chunks: list[Any] = [{"choices": [{"delta": {"content": said["content"]}}]}]
    chunks += [{"choices": [{"delta": {"tool_calls": [call]}}]} for call in said["tool_calls"]]
    chunks += [{"choices": [{"delta": {}, "finish_reason": choice["finish_reason"]}]}, {"choices": [], "usage": usage}]
    share = rng.choice((0, 0, 0.05, 0.3))
    lines = [f"data: {json.dumps(twisted(rng, chunk, share), ensure_ascii=rng.random() < 0.5)}\n\n" for chunk in chunks]
    if rng.random() < 0.1:
        lines.insert(rng.randrange(len(lines)), f"data: {nested(rng)}\n\n")
    if rng.random() < 0.1:
        lines.insert(rng.randrange(len(lines)), 'data: {"error": {"message": "overloaded"}}\n\n')
    if rng.random() < 0.8:
        lines.append("data: [DONE]\n\n")
    return "".join(lines).encode("utf-8", "surrogatepass")


def pieces(rng: random.Random, data: bytes) -> Iterator[bytes]:
    """The bytes in pieces that know nothing of letters."""
    size = rng.choice((3, 17, 1000, 1 << 16, 1 << 20)) if len(data) < 20_000 else 1 << 16
    yield from (data[start : start + size] for start in range(0, len(data), size))


async def reply(rng: random.Random, writer: asyncio.StreamWriter, *, stream: bool) -> None:
    """One answer, whole or not."""
    how = rng.randrange(24)
    if how == 0:
        return
    if how == 1:
        writer.write(rng.randbytes(rng.choice((1, 300, 70_000))))
        return
    data = body(rng, stream=stream)
    status, kind, headers = "200 OK", "text/event-stream" if stream else "application/json", ""
    if how == 2:
        data = rng.randbytes(rng.choice((0, 300, 70_000)))
    elif how == 3:
        data = data[: rng.randrange(len(data) + 1)]
    elif how == 4:
        status = f"{rng.choice((204, 301, 400, 401, 404, 408, 413, 418, 422, 429, 500, 503))} Odd"
        headers = rng.choice(("", "Retry-After: 0\r\n", "Retry-After: 99999\r\n", "Retry-After: \xe9\r\n"))
        words = (
            "stream",
            "tools",
            "strict schema",
            "context length",
            "max_tokens",
            "roles must alternate",
            "",
            "\x1b[2J",
        )
        told = {"error": {"message": rng.choice(words)}}
        data = rng.choice((json.dumps(told).encode(), b"<html>", b"", b"[" * 3000))
    elif how == 5:
        kind = rng.choice(("text/html", "", "application/json; charset=utf-16", "image/png"))
    elif how == 6 and data:
        data = bytes(byte if rng.random() > 0.02 else rng.randrange(256) for byte in data[:20_000])
    length = len(data) + rng.choice((0, 0, 0, 0, 0, 5, -3))
    writer.write(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{headers}Connection: close\r\n".encode("latin-1"))
    writer.write(f"Content-Length: {max(0, length)}\r\n\r\n".encode() if rng.random() < 0.5 else b"\r\n")
    wait = rng.random() < 0.1
    for number, piece in enumerate(pieces(rng, data)):
        writer.write(piece)
        await writer.drain()
        if wait and number < 3:
            await asyncio.sleep(rng.random() * MOST_WAIT)


@contextlib.asynccontextmanager
async def fuzzed() -> AsyncIterator[str]:
    """The base URL of an endpoint whose answers to a model `fuzz-N` are those of seed N."""
    randoms: dict[str, random.Random] = {}
    serving: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        # Cancelled only at the end of it all.
        with (
            contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError),
            contextlib.closing(writer),
        ):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            asked = json.loads(await reader.readexactly(length))
            rng = randoms.setdefault(asked["model"], random.Random(asked["model"]))
            await reply(rng, writer, stream=bool(asked.get("stream")))
        serving.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 22)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        for task in (left := list(serving)):
            task.cancel()
        await asyncio.gather(*left)
        await asyncio.sleep(0.05)
