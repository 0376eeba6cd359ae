"""`--paste` on the command line: in place of a server, beside one, and in a ticket."""

from pathlib import Path

from evals.pasted_text import pasted
from tests.program import checked, rediagnose
from tests.replayed import recorded, replayed
from tools.record.load import load
from tools.record.tape import Tape

OFFLINE = ("--model", "offline")


def text_of(fault: str) -> str:
    tape = Tape(load(recorded(fault)))
    return pasted(tape, next(iter(tape.nodes)))


async def test_files_stdin_and_a_folder_take_the_place_of_a_server(tmp_path: Path) -> None:
    (tmp_path / "info.txt").write_text(text_of("maxclients-exhausted"))
    ways = ((("--paste", str(tmp_path / "info.txt")), None), (("--paste", str(tmp_path)), None),
            (("--paste", "-"), text_of("maxclients-exhausted")))  # fmt: skip
    for way, said in ways:
        done = await rediagnose("triage", "connections are refused", *way, *OFFLINE, "--format", "json", said=said)
        answer = done.answer()
        checked(answer)
        assert answer["causes"][0]["id"] == "maxclients-exhausted"
        assert not [step for step in answer["plan"] if step["needs_approval"]]


async def test_the_head_says_that_it_is_a_paste_and_what_was_not_pasted(tmp_path: Path) -> None:
    (tmp_path / "info.txt").write_text(text_of("healthy-load"))
    done = await rediagnose("triage", "checkout times out", "--paste", str(tmp_path / "info.txt"), *OFFLINE)
    assert done.status == 0, done.err
    words = " ".join(done.out.split())
    assert "From a paste: INFO, SLOWLOG" in words and "not a live look" in words
    assert "Redis is fine" not in words and "$ redis-cli -h 127.0.0.1 -p" in words


async def test_the_recording_of_a_paste_is_one_that_replays_the_same(tmp_path: Path) -> None:
    (tmp_path / "info.txt").write_text(text_of("slow-on-command"))
    file = tmp_path / "paste.rec"
    done = await rediagnose("triage", "slow", "--paste", str(tmp_path / "info.txt"), *OFFLINE, "--record", str(file))
    assert done.status == 0, done.err
    kept = load(file)
    assert kept.head.pasted and not kept.cut and kept.head.window == 0
    refused = await rediagnose("apply", str(file), "s1", "--url", "redis://127.0.0.1:1")
    assert refused.status == 2 and "no answer" in refused.err


async def test_what_cant_be_read_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("the shop is slow today\n")
    for given in ("note.txt", "lacking.txt"):
        done = await rediagnose("triage", "slow", "--paste", str(tmp_path / given), *OFFLINE)
        assert done.status == 2 and done.err.splitlines()[-1].startswith("rediagnose triage: --paste")


async def test_beside_a_server_it_is_of_then_and_the_server_is_not_called_fine(tmp_path: Path) -> None:
    (tmp_path / "info.txt").write_text(text_of("maxclients-exhausted"))
    async with replayed("healthy-load") as at:
        given = (at.url, "it was slow", "--paste", str(tmp_path / "info.txt"), *OFFLINE, "--window", "0.3")
        answer = (await rediagnose("triage", *given, "--format", "json")).answer()
    assert answer["outcome"] != "no-fault"
    assert answer["then"]["causes"] == ["maxclients-exhausted"]
    assert any("then" in line and "now" in line for line in answer["then"]["changed"])


async def test_a_ticket_is_answered_by_what_is_pasted_in_it(tmp_path: Path) -> None:
    quoted = "".join(f"> {line}\n" for line in text_of("maxclients-exhausted").splitlines())
    (tmp_path / "ticket.txt").write_text(f"Checkout fails\n\n```\n{quoted}```\n")
    done = await rediagnose("annotate", str(tmp_path / "ticket.txt"), *OFFLINE)
    assert done.status == 0, done.err
    assert "maxclients-exhausted" in done.out and "From a paste: INFO" in done.out
    (tmp_path / "plain.txt").write_text("Checkout fails\nsince noon\nand nobody knows why\nor where\n")
    assert (await rediagnose("annotate", str(tmp_path / "plain.txt"), *OFFLINE)).status == 2
