"""A conversation about what was pasted, and output that is pasted into one."""

from pathlib import Path

from evals.pasted_text import pasted
from tests.program import Done, rediagnose
from tests.replayed import recorded, replayed
from tools.record.load import load
from tools.record.tape import Tape

OFFLINE = ("--model", "offline", "--window", "0.3")


def text_of(fault: str, *, info_only: bool = False) -> str:
    tape = Tape(load(recorded(fault)))
    return pasted(tape, next(iter(tape.nodes)), info_only=info_only)


def files(folder: Path, **faults: str) -> None:
    for name, text in faults.items():
        (folder / f"{name}.txt").write_text(text)


async def talk(*given: str, said: tuple[str, ...]) -> Done:
    return await rediagnose("chat", *given, *OFFLINE, said="".join(f"{line}\n" for line in said))


async def test_a_conversation_about_a_paste(tmp_path: Path) -> None:
    files(tmp_path, info=text_of("maxclients-exhausted"))
    record = tmp_path / "paste.rec"
    given = ("connections are refused", "--paste", str(tmp_path / "info.txt"))
    done = await talk(*given, said=("/plan", "/approve s1", f"/record {record}", "/reading info", "exit"))
    assert done.status == 0, done.err
    words = " ".join(done.out.split())
    assert "maxclients-exhausted" in words and "From a paste: INFO" in words
    assert "for a person to do" in words
    assert "the paste is recorded in" in words and load(record).head.pasted


async def test_a_second_paste_is_added_to_the_first_and_its_words_are_not_called_unknown(tmp_path: Path) -> None:
    story = "The shop is slow since noon and nobody changed anything at all.\n\n"
    files(tmp_path, info=story + text_of("maxclients-exhausted", info_only=True), more=text_of("maxclients-exhausted"))
    done = await talk("--paste", str(tmp_path / "info.txt"), said=(f"/paste {tmp_path / 'more.txt'}", "exit"))
    assert done.status == 0, done.err
    before, after = done.out.split("> /paste", 1)
    told, more = (" ".join(part.partition("From a paste: ")[2].split())[:60] for part in (before, after))
    assert "CLIENT LIST" not in told and "CLIENT LIST" in more
    assert "The shop is slow" not in after


async def test_a_file_that_is_not_there_ends_nothing(tmp_path: Path) -> None:
    files(tmp_path, info=text_of("maxclients-exhausted"))
    lacking = tmp_path / "lacking.txt"
    done = await talk("--paste", str(tmp_path / "info.txt"), said=(f"/paste {lacking}", "/paste", "/plan", "exit"))
    assert done.status == 0
    said = done.out + done.err
    assert "No such file" in said and "give a file, a folder or an archive" in said and "s1" in said


async def test_beside_a_server_what_is_pasted_is_of_then(tmp_path: Path) -> None:
    files(tmp_path, then=text_of("maxclients-exhausted"))
    async with replayed("healthy-load") as at:
        begun = await talk(at.url, "it was slow", "--paste", str(tmp_path / "then.txt"), said=("exit",))
    async with replayed("healthy-load") as at:
        later = await talk(at.url, said=("it was slow", f"/paste {tmp_path / 'then.txt'}", "exit"))
    for done in (begun, later):
        assert done.status == 0, done.err
        words = " ".join(done.out.split())
        assert "From a paste: INFO" in words and "maxclients-exhausted" in words
    assert "Redis is fine" not in begun.out and "Redis is fine" not in later.out.split("> /paste", 1)[1]
