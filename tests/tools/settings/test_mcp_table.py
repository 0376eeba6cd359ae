"""The tables that name a team's own MCP servers: bounded, without secrets, and only by a file that is trusted."""

from pathlib import Path

import pytest

from tools.errors import UsageError
from tools.mcp.server import McpServer
from tools.settings.file import parse_settings
from tools.settings.trust import is_trusted, trust

FILE = Path("/etc/team/rediagnose.toml")
LOCAL = '[[mcp]]\nname = "kube"\ncommand = "kube-mcp"\nargs = ["--read-only"]\ntools = ["events"]\n'
WEB = '[[mcp]]\nname = "deploys"\nurl = "https://deploys.example.com/mcp"\ntools = ["list"]\n'


def read(text: str, *, trusted: bool = True, **environ: str) -> list[McpServer]:
    settings = parse_settings(FILE, text.encode(), environ, trusted=trusted)
    return [one.server(environ) for one in settings.mcp]


def test_a_server_that_is_started_and_one_that_is_reached() -> None:
    local, web = read(
        f'{LOCAL}environment = ["KUBECONFIG"]\ntimeout = 5\n{WEB}token_env = "TOKEN"\n',
        KUBECONFIG="/etc/kube", TOKEN="hush-hush", OTHER="x",
    )  # fmt: skip
    assert (local.command, local.args, local.folder, local.timeout) == (
        "kube-mcp", ("--read-only",), Path("/etc/team"), 5.0,
    )  # fmt: skip
    assert {name: value.get_secret_value() for name, value in local.environment.items()} == {"KUBECONFIG": "/etc/kube"}
    assert {name: value.get_secret_value() for name, value in web.headers.items()} == {
        "Authorization": "Bearer hush-hush"
    }
    assert (web.secrets, web.timeout) == (("hush-hush",), 10.0)
    assert "hush" not in repr(web)


def test_a_token_in_a_header_of_its_own() -> None:
    (web,) = read(f'{WEB}token_env = "TOKEN"\nheader = "X-Api-Key"\n', TOKEN="hush-hush")
    assert web.headers["X-Api-Key"].get_secret_value() == "hush-hush"


def test_an_untrusted_file_starts_and_asks_nothing() -> None:
    for text in (LOCAL, WEB):
        with pytest.raises(UsageError, match="isn't trusted: look at it, then run `rediagnose trust /etc/team"):
            read(text, trusted=False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LOCAL.replace('"kube"', '"Kube__x"'), "mcp 1: name: not lower-case letters"),
        (LOCAL.replace('["events"]', "[]"), "mcp 1: tools: name 1 to 16 of its tools"),
        (LOCAL.replace('tools = ["events"]', ""), "mcp 1: tools: missing; write tools"),
        (LOCAL.replace('["events"]', str([f"t{n}" for n in range(17)])), "mcp 1: tools: name 1 to 16"),
        (LOCAL + 'url = "https://h/mcp"\n', "mcp 1: command or url: both there"),
        ('[[mcp]]\nname = "a"\ntools = ["b"]\n', "mcp 1: command or url: missing"),
        (LOCAL + 'token_env = "A"\n', "mcp 1: token_env: it means nothing beside command"),
        (WEB + 'environment = ["A"]\n', "mcp 1: environment: it means nothing beside url"),
        (WEB.replace("https://", "https://me:hush@"), "mcp 1: url: not the address of a server, without credentials"),
        (WEB.replace("https://", "file://"), "mcp 1: url: not the address"),
        (WEB + 'token_env = "A"\nheader = "Content-Length"\n', "mcp 1: header: no header for a token"),
        (WEB + "timeout = 60\n", "mcp 1: timeout: not a number of seconds from 0.5 to 15"),
        (WEB + "timeout = true\n", "mcp 1: timeout: not a number"),
        (WEB + 'password = "x"\n', "mcp 1: password: unknown key; there are name, tools, command"),
        (WEB + WEB, "mcp: the name 'deploys' appears 2 times"),
        ("".join(WEB.replace("deploys", f"d{n}") for n in range(9)), "mcp: 9 servers; leave 8"),
        ('mcp = "x"\n', "write [[mcp]] above each"),
    ],
)  # fmt: skip
def test_what_cant_be_used_says_what_to_write(text: str, why: str) -> None:
    with pytest.raises(UsageError) as error:
        read(text)
    assert why in str(error.value)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "token", "why"),
    [
        (LOCAL + 'environment = ["KUBECONFIG"]\n', "", "environment: KUBECONFIG isn't set"),
        (WEB + 'token_env = "TOKEN"\n', "", "token_env: TOKEN isn't set"),
        (WEB + 'token_env = "TOKEN"\n', "a\nb", "it can't be sent in a header"),
    ],
)
def test_a_secret_that_is_missing_or_of_no_use_is_said_without_it(text: str, token: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read(text, trusted=True, **({"TOKEN": token} if token else {}))


def test_what_a_person_judges_before_they_trust_it() -> None:
    settings = parse_settings(FILE, f"{LOCAL}{WEB}".encode(), {})
    assert settings.destinations() == [
        "mcp: kube: kube-mcp --read-only, asked by events",
        "mcp: deploys: https://deploys.example.com/mcp, asked by list",
    ]


def test_a_program_that_comes_with_the_file_is_trusted_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file, script = tmp_path / "rediagnose.toml", tmp_path / "server.py"
    content = b'[[mcp]]\nname = "own"\ncommand = "python3"\nargs = ["server.py"]\ntools = ["look"]\n'
    file.write_bytes(content)
    script.write_text("print()")
    trust(file, content)
    assert is_trusted(file, content)
    script.write_text("import os")
    assert not is_trusted(file, content)
