"""Wrong input: one line that names the value and the remedy, and the exit status 2."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from agent.answer.diagnosis import Outcome
from agent.cli.inputs import BY_OUTCOME
from tests.program import Done

Program = Callable[..., Done]


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["triage", "http://127.0.0.1:6379"], ["'http://127.0.0.1:6379'", "redis://"]),
        (["triage", "redis://"], ["doesn't name a host", "redis://host:6379"]),
        (["triage", "redis://127.0.0.1:notaport"], ["notaport", "redis://[user:password@]host:port"]),
        (["triage", "redis://127.0.0.1:99999"], ["99999"]),
        (["triage", "redis://::1:6379"], ["IPv6", "[v6]:port"]),
        (["triage", "redis://127.0.0.1/zero"], ["'zero'", "isn't a number"]),
        (["triage", "unix://"], ["socket", "unix:///"]),
        (["triage", "checkout times out"], ["checkout times out", "REDIS_URL", "redis://host:6379"]),
        (["triage"], ["REDIS_URL", "redis://host:6379"]),
        (["triage", "redis://127.0.0.1:1", "slow", "again"], ["'again'", "quotes"]),
        (["triage", "redis://127.0.0.1:1", "redis://127.0.0.1:2"], ["redis://127.0.0.1:2"]),
        (["triage", "redis://127.0.0.1:1", "--nosuch"], ["--nosuch", "--help"]),
        (["triage", "redis://127.0.0.1:1", "--format", "xml"], ["xml", "json"]),
        (["triage", "redis://127.0.0.1:1", "--window", "soon"], ["'soon'", "number"]),
        (["triage", "redis://127.0.0.1:1", "--window", "0"], ["'0'", "0.2"]),
        (["triage", "redis://127.0.0.1:1", "--deadline", "-1"], ["-1"]),
        (["triage", "redis://127.0.0.1:1", "--deadline", "1"], ["--deadline 1", "--deadline 3 or more", "--window"]),
        (["triage", "redis://127.0.0.1:1", "--max-commands", "5"], ["--max-commands 5", "20"]),
        (["triage", "redis://127.0.0.1:1", "--trust", "10.0.0.0/99"], ["'10.0.0.0/99'", "10.1.0.0/16"]),
        (["triage", "redis://127.0.0.1:1", "--runbooks", "/nonexistent"], ["/nonexistent", "folder"]),
        (["triage", "redis://127.0.0.1:1", "--model", "gpt-9"], ["gpt-9", "OPENAI_API_KEY", "offline"]),
        (["triage", "redis://127.0.0.1:1", "--cacert", "ca.pem"], ["rediss://"]),
        (["triage", "rediss://127.0.0.1:1", "--cacert", "/nonexistent.pem"], ["/nonexistent.pem", "PEM"]),
        (["triage", "rediss://127.0.0.1:1", "--cert", "a.pem"], ["--cert", "--key"]),
        (["triage", "redis://127.0.0.1:1", "--password-file", "/nonexistent"], ["/nonexistent"]),
        (["runbooks", "show", "nosuch"], ["nosuch", "connection-timeouts"]),
        (["nosuch"], ["nosuch", "triage"]),
        (["triag"], ["no command 'triag'", "did you mean triage?"]),
        (["triage", "redis://127.0.0.1:1", "--modle", "offline"], ["no option --modle", "did you mean --model"]),
        (["capture", "redis://127.0.0.1:1", "--outptu=x.rec"], ["no option --outptu", "did you mean --output?"]),
        (["lab", "lst"], ["no command 'lst'", "did you mean list?"]),
        (["lab", "start", "connection-leak", "--sed", "1"], ["no option --sed", "did you mean --seed?"]),
        (["incidents", "list", "nope"], ["list 'nope'", "incidents show nope"]),
        (["incidents", "list", "-o", "x"], ["-o", "only export"]),
        (["incidents", "show", "nope", "--closed"], ["--closed", "only list"]),
        (
            ["incidents", "list", "--database", "sqlite:////nonexistent/x.sqlite"],
            ["/nonexistent/x.sqlite", "--database"],
        ),
        (["incidents", "show", "a", "b"], ["rediagnose incidents: this is too much: b", "incidents --help"]),
        (["runbooks", "list", "nope"], ["list 'nope'", "runbooks show nope"]),
        (["runbooks", "show"], ["which one", "runbooks list"]),
        (["trust", "--list", "other.toml"], ["other.toml", "--list"]),
        (["schema", "more"], ["rediagnose schema: this is too much: more"]),
        (["triage", "redis://127.0.0.1:1", "--prometheus", ""], ["--prometheus", "empty; give URL"]),
        (["triage", "redis://127.0.0.1:1", "--model="], ["--model", "empty; give NAME"]),
        (["annotate", "/bin/true"], ["/bin/true", "it isn't text"]),
        (["triage", "redis://127.0.0.1:1", "--format", "jsn"], ["'jsn'", "did you mean json?"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_is_one_line(program: Program, args: list[str], named: list[str]) -> None:
    done = program(*args)
    assert done.status == 2, done.err
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    for part in named:
        assert part in done.err


def test_a_secret_in_a_wrong_url_stays_hidden(program: Program) -> None:
    for url in ("redis://:hunter2@127.0.0.1:port", "http://user:hunter2@127.0.0.1", "redis://:hunter2@"):
        done = program("triage", url)
        assert done.status == 2
        assert "hunter2" not in done.err + done.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no front matter", "front matter"),
        ("---\nname: [\n---\n", "isn't valid YAML"),
        ("---\nname: x\n---\n", "title"),
        ("---\nname: x\ntitle: x\nsymptoms: []\ncauses: {warp-core: {evidence: e, avoid: a, remedies: "
         "[{kind: outside, action: a, why: w, risk: safe}]}}\n---\n", "warp-core"),
    ],
)  # fmt: skip
def test_unusable_runbooks_are_named(program: Program, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "own.md").write_text(text)
    done = program("triage", "redis://127.0.0.1:1", "--runbooks", str(tmp_path))
    assert done.status == 2
    assert len(done.err.splitlines()) == 1
    assert "own.md" in done.err
    assert said in done.err


def test_the_model_is_named_with_its_reason(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    done = program("triage", "redis://127.0.0.1:1", "--deadline", "5")
    assert done.status == 0
    assert "OPENAI_API_KEY" in done.err
    assert "OPENAI_API_KEY" not in done.out.splitlines()[0]
    assert "OPENAI_API_KEY" in done.out.partition("\nBy ")[2]
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    done = program("triage", "redis://127.0.0.1:1")
    assert "REDIAGNOSE_MODEL isn't set" in done.err


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_exit_status_says_what_the_answer_is_only_where_that_is_asked_for(program: Program, form: str) -> None:
    args = ("triage", "redis://127.0.0.1:1", "is it down?", "--model", "offline", "--format", form)
    assert [program(*args).status, program(*args, "--exit-code").status] == [0, 10]


def test_every_outcome_has_an_exit_status() -> None:
    assert set(BY_OUTCOME) == set(get_args(Outcome))
    assert set(BY_OUTCOME.values()) == {0, 10, 11}
