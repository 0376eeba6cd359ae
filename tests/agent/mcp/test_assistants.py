"""What assistants get where no server runs: the tools, what can be read, and what can't be done."""

import json
from pathlib import Path

import jsonschema
import psutil
import pytest
from mcp.shared.exceptions import MCPError

from agent.answer.schema import SCHEMA
from agent.runbooks.library import load
from tests.agent.mcp.assistants import MODES, Human, change_of, over_stdio
from tests.program import rediagnose
from tests.served import DEAD

TOOLS = {"triage", "recheck", "reading", "runbook", "check", "propose", "apply"}
MOST = 24_000
"""Bytes of all tools as an assistant gets them: they are in each of its requests."""
TARGETS = f'[[targets]]\nname = "orders"\nurl = "{DEAD}"\n'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "rediagnose.toml").write_text(TARGETS)
    return tmp_path


@pytest.mark.parametrize("mode", MODES)
async def test_an_incident_is_looked_at_explained_and_looked_at_again(place: Path, mode: str) -> None:
    async with over_stdio(place, mode=mode) as one:
        tools = {tool.name: tool for tool in (await one.client.list_tools()).tools}
        assert set(tools) == TOOLS
        assert all(tool.description and tool.output_schema and tool.annotations for tool in tools.values())
        assert [name for name, tool in tools.items() if tool.annotations and not tool.annotations.read_only_hint] == [
            "propose", "apply",
        ]  # fmt: skip
        assert len(json.dumps([tool.model_dump(mode="json", exclude_none=True) for tool in tools.values()])) < MOST
        assert "never instructions" in (one.client.instructions or "")
        found = await one.call("triage", report="checkout: connection refused", target="ORDERS")
        assert (found["outcome"], found["causes"][0]["id"]) == ("diagnosed", "process-down")
        assert found["target"] == "orders" and found["answered_by"] == "offline"
        assert any("process-down" in line for line in one.progress), one.progress
        cited = found["causes"][0]["evidence"][0]
        assert cited["verified"]
        opened = await one.call("reading", incident=found["incident"], reading=cited["reading"])
        assert opened["id"] == cited["reading"]
        assert (opened["unavailable"] or {}).get("kind") == cited["value"] or cited["field"] in opened["values"]
        again = await one.call("recheck", incident=found["incident"])
        assert again["causes"][0].startswith("process-down: 9")
        listed = json.loads(await one.read("rediagnose://incidents"))
        assert [each["id"] for each in listed] == [found["incident"]]
        same = json.loads(await one.read(f"rediagnose://incidents/{found['incident']}"))
        assert same["causes"][0]["id"] == "process-down"


async def test_links_lead_to_the_readings_that_are_cited(place: Path) -> None:
    async with over_stdio(place) as one:
        result = await one.raw("triage", report="connection refused")
        links = [content.uri for content in result.content if content.type == "resource_link"]
        assert links
        for link in links:
            assert json.loads(await one.read(link))["id"] == link.rpartition("/")[2]


async def test_runbooks_the_schema_and_a_prompt_can_be_read(place: Path) -> None:
    async with over_stdio(place) as one:
        assert "rejected_connections" in (await one.call("runbook", name="maxclients-exhausted"))["text"]
        assert "clients" in await one.fails("runbook", name="no such thing")
        assert "it has" in await one.fails("runbook", name="clients", section="no such section")
        jsonschema.Draft202012Validator.check_schema(json.loads(await one.read("rediagnose://schema")))
        assert json.loads(await one.read("rediagnose://schema")) == json.loads(SCHEMA.read_text())
        books = json.loads(await one.read("rediagnose://runbooks"))
        assert list(books) == [book.name for book in load().runbooks]
        assert (await one.read("rediagnose://runbooks/clients")).startswith("# ")
        with pytest.raises(MCPError, match="there is no runbook"):
            await one.read("rediagnose://runbooks/nothing")
        (message,) = (await one.client.get_prompt("first_look", {"report": "it's $slow", "target": "orders"})).messages
        assert message.content.type == "text" and "it's $slow" in message.content.text


async def test_what_cant_be_done_is_said_in_a_line_with_what_to_do(place: Path) -> None:
    async with over_stdio(place) as one:
        assert "did you mean orders" in await one.fails("triage", report="slow", target="order")
        for url in ("redis://127.0.0.1:1", "127.0.0.1:1", "redis://user:secret@10.0.0.1"):
            refused = await one.fails("triage", report="slow", target=url)
            assert "aren't taken by URL" in await one.fails("check", targets=[url])
            assert "aren't taken by URL" in refused and "orders" in refused and "secret" not in refused
        assert "call triage" in await one.fails("recheck", incident="\u202e nothing")
        assert "max_length" not in await one.fails("triage", report="x" * 20_000)
        id = (await one.call("triage", report="refused"))["incident"]
        assert "there are s1" in await one.fails("propose", incident=id, step="s77")
        assert "give either" in await one.fails("propose", incident=id)
        assert "isn't a node" in await one.fails("propose", incident=id, action="CONFIG SET maxclients 9", node="x:1")
        assert "policy forbids" in await one.fails("propose", incident=id, action="FLUSHALL")
        assert "quotes" in await one.fails("propose", incident=id, action="CONFIG SET 'x")
        assert "the newest are" in await one.fails("reading", incident=id, reading="r999")
        assert (await one.call("check"))["targets"][0]["level"] == "incident"


async def test_urls_are_taken_where_they_are_allowed(place: Path) -> None:
    async with over_stdio(place, "--allow-urls") as one:
        found = await one.call("triage", report="refused", target="redis://127.0.0.1:2")
        assert found["target"] == "redis://127.0.0.1:2" and found["causes"][0]["id"] == "process-down"


async def test_several_targets_have_to_be_named(place: Path) -> None:
    (place / "rediagnose.toml").write_text(TARGETS + '[[targets]]\nname = "carts"\nurl = "redis://127.0.0.1:2"\n')
    async with over_stdio(place) as one:
        assert "orders, carts" in await one.fails("triage", report="refused")
        assert len((await one.call("check", targets=["carts"]))["targets"]) == 1


async def test_nothing_but_the_protocol_is_on_stdout_and_the_end_of_stdin_ends_it(place: Path) -> None:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}}  # fmt: skip
    environ = {"REDIAGNOSE_CONFIG": str(place / "rediagnose.toml")}
    done = await rediagnose("mcp", said=f"{json.dumps(hello)}\nnot json\n", **environ)
    assert done.status == 0, done.err
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert lines[0]["result"]["serverInfo"]["name"] == "rediagnose"
    assert all(line["jsonrpc"] == "2.0" for line in lines)
    refused = await rediagnose("mcp", "--window", "nonsense", said="", **environ)
    assert refused.status == 2 and not refused.out


async def test_a_signal_ends_it(place: Path) -> None:
    async with over_stdio(place) as one:
        await one.call("check")
        (child,) = [each for each in psutil.Process().children() if "mcp" in each.cmdline()]
        child.terminate()
        with pytest.raises(MCPError):
            await one.client.list_tools(cache_mode="refresh")


async def test_a_step_for_a_person_is_never_applied(place: Path) -> None:
    human = Human("yes")
    (place / "rediagnose.toml").write_text(TARGETS + "mcp.approve = true\n")
    async with over_stdio(place, human=human) as one:
        found = await one.call("triage", report="refused")
        outside = next(step for step in found["plan"] if step["kind"] == "outside")
        assert "for a person to do" in await one.fails("apply", incident=found["incident"], step=outside["id"])
        assert not human.asked
        with pytest.raises(StopIteration):
            change_of(found)
