"""A whole triage as the least-privilege reader that the program itself prints."""

import json
import shlex

import pytest

from evals.lab.servers import ServerKind, running
from evals.lab.topologies import Member, clustered
from evals.lab.wire import dial
from tests.program import checked, rediagnose, triage

PASSWORD = "kept-by-the-reader"


async def as_reader(url: str) -> str:
    """Make the printed reader on a server; its URL."""
    done = await rediagnose("acl", url, "--tier", "reader", "--format", "json")
    assert done.status == 0, done.err
    (user,) = json.loads(done.out)["users"]
    wire = await dial(url)
    words = [word.replace("CHANGE-ME", PASSWORD) for word in shlex.split(user["command"])]
    assert await wire.ask(*words) == "OK"
    await wire.close()
    return url.replace("redis://", f"redis://{words[2]}:{PASSWORD}@")


@pytest.mark.alone
async def test_a_whole_triage_works_as_the_printed_reader(kind: ServerKind) -> None:
    async with running(kind) as server:
        answer = await triage(await as_reader(server.url), "requests time out")
        wire = await dial(server.url)
        log = await wire.ask("ACL", "LOG")
        await wire.close()
    checked(answer)
    assert answer["outcome"] == "no-fault"
    refused = [
        one["tool"] for one in answer["readings"] if one["unavailable"] and one["unavailable"]["kind"] == "denied"
    ]
    refused += [
        f"{one['tool']} {field}" for one in answer["readings"] for field, value in (one["values"] or {}).items()
        if field.endswith("unavailable") and value == "denied"
    ]  # fmt: skip
    assert refused == []
    assert log == [], "the server refused something that the reader is meant to have"
    assert PASSWORD not in json.dumps(answer)


async def test_the_reader_finds_all_nodes_of_a_cluster(kind: ServerKind) -> None:
    async with clustered(kind, nodes=3) as deployment:
        members: tuple[Member, ...] = deployment.members
        urls = [await as_reader(member.url) for member in members]
        answer = await triage(urls[0], "requests time out")
    assert set(answer["target"]["nodes"]) == {member.name for member in members}
    assert {one["node"] for one in answer["readings"] if one["tool"] == "info"} == set(answer["target"]["nodes"])
    assert not [one for one in answer["readings"] if one["unavailable"] and one["unavailable"]["kind"] == "denied"]
