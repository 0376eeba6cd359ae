"""`rediagnose doctor`: what can be reached and read from here, and which settings say so."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals.endpoint import Call, Move, Say, Status, endpoint
from evals.lab.servers import ServerKind, start
from evals.lab.wire import dial
from tests.program import Done, rediagnose
from tests.prometheus import exporter, needs_prometheus, prometheus


def checks(done: Done) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in json.loads(done.out)["checks"]}


def settings(done: Done) -> dict[str, tuple[str | None, str]]:
    return {one["name"]: (one["value"], one["source"]) for one in json.loads(done.out)["settings"]}


async def test_without_a_server_the_rest_is_looked_at(tmp_path: Path) -> None:
    done = await rediagnose("doctor", XDG_CONFIG_HOME=str(tmp_path), XDG_STATE_HOME=str(tmp_path))
    assert (done.status, done.err) == (0, "")
    for words in ("server      none is named", "model       none: the checks answer alone", "audit log   "):
        assert words in done.out
    assert max(map(len, done.out.splitlines())) <= 80


async def test_a_server_that_is_not_there_is_said_with_what_helps() -> None:
    done = await rediagnose("doctor", "redis://:hush@127.0.0.1:1", "--format", "json", REDISCLI_AUTH="other")
    assert done.status == 1
    assert checks(done)["server"]["state"] == "failed"
    assert "ECONNREFUSED; nothing listens there; check host and port" in checks(done)["server"]["line"]
    assert settings(done)["password"] == ("set", "the URL")
    assert "hush" not in done.out + done.err


async def test_each_setting_says_where_it_is_from(tmp_path: Path) -> None:
    file = tmp_path / "rediagnose.toml"
    file.write_text(
        '[[targets]]\nname = "lab"\nurl = "redis://low@127.0.0.1:1"\npassword_env = "LAB"\ntrust = ["10.0.0.0/8"]\n'
        'prometheus = "http://127.0.0.1:1"\n'
    )
    done = await rediagnose(
        "doctor", "LAB", "--format", "json", "--model", "offline", REDIAGNOSE_CONFIG=str(file), LAB="hush"
    )
    assert settings(done) == {
        "file of settings": (f"{file}, trusted; targets: lab", "REDIAGNOSE_CONFIG"),
        "server": ("redis://***@127.0.0.1:1", f"the command line, target lab of {file}"),
        "password": ("set, for user low", f"{file}: password_env LAB"),
        "trusted networks": ("10.0.0.0/8", str(file)),
        "model": ("offline", "--model offline"),
        "Prometheus": ("set", str(file)),
        "runbooks": ("the bundled ones", "the default"),
        "audit log": (settings(done)["audit log"][0], "XDG_STATE_HOME"),
    }
    assert checks(done)["prometheus"]["state"] == "failed"
    assert "hush" not in done.out + done.err
    by_option = await rediagnose(
        "doctor", "--url", "127.0.0.1:1", "--format", "json", "--prometheus", "http://127.0.0.1:1", REDISCLI_AUTH="hush"
    )
    assert settings(by_option)["server"] == ("redis://***@127.0.0.1:1", "--url")
    assert settings(by_option)["password"] == ("set", "REDISCLI_AUTH")
    assert settings(by_option)["Prometheus"] == ("set", "--prometheus")


@pytest.mark.parametrize(
    ("moves", "state", "words"),
    [
        ([Say(calls=(Call(name="ready", arguments='{"word": "yes"}'),))], "ok", "and calls tools"),
        ([Say(text="yes")], "warning", "didn't call the tool"),
        ([Status(code=401, message="bad key")], "failed", "all answers would come from the checks alone"),
    ],
    ids=["able", "unable", "locked"],
)
async def test_the_model_is_asked_once_and_told_nothing_of_a_server(moves: list[Move], state: str, words: str) -> None:
    async with endpoint(moves) as at:
        done = await rediagnose(
            "doctor", "--model", "m", "--format", "json", OPENAI_BASE_URL=at.url, OPENAI_API_KEY="hush"
        )
        assert [body["messages"][-1]["content"] for body in at.requests] == [
            "Call the tool `ready` once, with the word `yes`."
        ]
    found = checks(done)["model"]
    assert (found["state"], done.status) == (state, int(state == "failed"))
    assert words in found["line"]
    assert settings(done)["model's endpoint"] == (at.url, "OPENAI_BASE_URL")
    assert "hush" not in done.out + done.err


async def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = await rediagnose("doctor", "--audit", str(tmp_path / "file" / "audit.jsonl"), "--format", "json")
    assert done.status == 1
    assert checks(done)["audit log"]["state"] == "failed"


@pytest.mark.live
async def test_a_user_with_few_rights_hears_what_they_hide(kind: ServerKind) -> None:
    server = await start(kind)
    try:
        wire = await dial(server.url)
        rules = "on >hush ~* -@all +ping +info +client|setname +client|id"
        await wire.ask("ACL", "SETUSER", "low", *rules.split())
        await wire.close()
        done = await rediagnose("doctor", f"redis://low:hush@127.0.0.1:{server.port}", "--format", "json")
        all_rights = await rediagnose("doctor", server.url, "--format", "json")
    finally:
        await server.stop()
    found = checks(done)
    assert done.status == 0
    assert (found["server"]["state"], found["rights"]["state"]) == ("ok", "warning")
    assert {"slow-on-command", "connection-leak"} <= set(found["rights"]["facts"]["hides"])
    assert "SLOWLOG GET" in found["rights"]["facts"]["denied"]
    assert found["machine"]["facts"]["locality"] == "local"
    assert checks(all_rights)["rights"]["state"] == "ok"


@pytest.mark.live
@needs_prometheus
async def test_a_prometheus_says_whether_it_has_this_server(kind: ServerKind) -> None:
    server, other = await start(kind), await start(kind)
    try:
        async with exporter(server) as port, prometheus([port]) as url:
            there = await rediagnose("doctor", server.url, "--prometheus", url, "--format", "json")
            absent = await rediagnose("doctor", other.url, "--prometheus", url, "--format", "json")
    finally:
        await server.stop()
        await other.stop()
    assert checks(there)["prometheus"]["state"] == "ok"
    assert "has this server" in checks(there)["prometheus"]["line"]
    assert checks(absent)["prometheus"]["state"] == "failed"
    assert "none of them is" in checks(absent)["prometheus"]["line"]


async def test_no_key_in_an_endpoints_url_is_printed() -> None:
    url = "http://u:hush@127.0.0.1:1/v1?api-key=hush&sig=hush"
    done = await rediagnose(
        "doctor", "--format", "json", "--model", "m", OPENAI_API_KEY="hush", OPENAI_BASE_URL=url,
        REDIAGNOSE_PROMETHEUS="http://u:hush@127.0.0.1:1/?token=hush",
    )  # fmt: skip
    assert settings(done)["model's endpoint"] == ("http://***@127.0.0.1:1/v1?***", "OPENAI_BASE_URL")
    assert "hush" not in done.out + done.err


@pytest.mark.parametrize(
    ("args", "named"),
    [(("--kubernetes",), "isn't the DNS name of a Service"), (("--ssh", "a", "--pod", "shop/x"), "give only one")],
)
async def test_options_that_cant_be_used_are_wrong_usage(args: tuple[str, ...], named: str) -> None:
    done = await rediagnose("doctor", "redis://127.0.0.1:1", "--model", "offline", *args)
    assert done.status == 2 and named in done.err
