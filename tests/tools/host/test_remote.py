"""The host script over ssh and kubectl: what is run, what comes back, and what keeps it within its bounds.

A small real program stands in for ssh and kubectl: it writes down what it was called with, and runs the script here.
"""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tools.errors import Unanswered, UsageError
from tools.host.remote import gather, over_ssh
from tools.kubernetes.place import in_pod


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    path = tmp_path / "stand-in"
    said(path, 'while [ "$1" != sh ]; do shift; done\n"$@"')
    return path


def said(path: Path, body: str) -> None:
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"$0.args"\nenv >"$0.env"\n{body}\n')
    path.chmod(0o700)


async def test_the_script_runs_there_and_its_facts_come_back(stand_in: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "HOME": "/root", "REDISCLI_AUTH": "hush", "OPENAI_API_KEY": "hush"}
    facts = await gather(over_ssh("ops@cache-7", 6390, str(stand_in)), environ=environ)
    assert (facts.port, facts.pid) == (6390, None)
    assert facts.seconds > 1
    args = Path(f"{stand_in}.args").read_text().splitlines()
    assert args[-6:] == ["--", "ops@cache-7", "sh", "-s", "--", "6390"]
    assert {"BatchMode=yes", "ControlMaster=no", "RemoteCommand=none"} <= set(args)
    seen = Path(f"{stand_in}.env").read_text()
    assert "HOME=/root" in seen and "hush" not in seen


def test_a_pod_is_named_with_its_namespace() -> None:
    common = ("kubectl", "exec", "-i", "--namespace=prod")
    assert in_pod("prod/cache-0", 6379) == (*common, "cache-0", "--", "sh", "-s", "--", "6379")
    assert in_pod("prod/cache-0", 6379, "arn:aws:eks:eu-west-1:1:cluster/shop")[1:3] == (
        "--context=arn:aws:eks:eu-west-1:1:cluster/shop", "exec"
    )  # fmt: skip
    assert in_pod("prod/cache-0/redis", 7000)[4:] == ("--container=redis", "cache-0", "--", "sh", "-s", "--", "7000")


@pytest.mark.parametrize(
    "host", ["-oProxyCommand=id", "a b", "", "a;id", "$(id)", "x@-oProxyCommand=id", "a\nb", "h" * 300, "a@b@c", "é"]
)
def test_a_host_is_no_option_and_no_command(host: str) -> None:
    with pytest.raises(UsageError, match="--ssh"):
        over_ssh(host, 6379)


@pytest.mark.parametrize(
    "pod", ["cache-0", "-n/x", "prod/-x", "prod/a/b/c", "prod/a;id", "prod/", "/a", "prod/a/--x", "a/b\n"]
)
def test_a_pod_is_no_option_and_no_command(pod: str) -> None:
    with pytest.raises(UsageError, match="--pod"):
        in_pod(pod, 6379)


@pytest.mark.parametrize(
    ("body", "kind", "why"),
    [
        ("echo 'Permission denied (key).' >&2; exit 255", "not-local", r"status 255: Permission denied \(key"),
        ("exit 3", "not-local", r"status 3$"),
        ("echo hello", "malformed", "isn't output of the host script"),
        ("head -c 3000000 /dev/zero", "malformed", "more than 1 MiB"),
        ("head -c 3000000 /dev/zero >&2; exit 1", "not-local", "status 1"),
    ],
)
async def test_what_fails_is_said(stand_in: Path, body: str, kind: str, why: str) -> None:
    said(stand_in, body)
    with pytest.raises(Unanswered, match=why) as failed:
        await gather((str(stand_in),), most=1 << 20)
    assert failed.value.kind == kind


async def test_a_flood_that_does_not_end_is_left(stand_in: Path) -> None:
    said(stand_in, "exec cat /dev/zero")
    with pytest.raises(Unanswered, match="more than 1 MiB"):
        async with asyncio.timeout(120):
            await gather((str(stand_in),), most=1 << 20, deadline=60)


async def test_what_left_the_session_and_holds_the_output_open_is_not_waited_for(stand_in: Path) -> None:
    said(stand_in, 'setsid sleep 300 & echo $! >"$0.pid"; echo no >&2; exit 7')
    try:
        with pytest.raises(Unanswered, match=r"didn't finish within 1 s"):
            async with asyncio.timeout(120):
                await gather((str(stand_in),), deadline=1)
    finally:
        os.kill(int(Path(f"{stand_in}.pid").read_text()), signal.SIGKILL)


async def test_what_hangs_is_ended_with_all_that_it_started(stand_in: Path) -> None:
    said(stand_in, 'sleep 300 & echo $! >"$0.pid"; sleep 300')
    with pytest.raises(Unanswered, match=r"didn't finish within 1 s"):
        await gather((str(stand_in),), deadline=1)
    child = int(Path(f"{stand_in}.pid").read_text())
    while state(child) not in (None, "Z"):
        await asyncio.sleep(0.05)


def state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None


async def test_a_program_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be run here"):
        await gather((str(tmp_path / "none"),))
