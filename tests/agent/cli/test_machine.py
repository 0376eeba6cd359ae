"""--ssh and --pod: what is run is said, what it brings is looked at, and what fails doesn't keep the answer back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program import Done

ARGS = ("triage", "redis://127.0.0.1:1", "is it down?", "--model", "offline", "--format", "json")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose programs come before the system's."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    return tmp_path


def said(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)


@pytest.mark.parametrize(
    ("name", "option", "value"), [("ssh", "--ssh", "cache-7"), ("kubectl", "--pod", "prod/cache-0")]
)
def test_the_machine_is_seen_through_it(
    programs: Path, program: Callable[..., Done], name: str, option: str, value: str
) -> None:
    said(programs / name, 'while [ "$1" != sh ]; do shift; done\n"$@"')
    done = program(*ARGS, option, value, "--host-port", "1")
    answer = done.answer()
    assert any((one["values"] or {}).get("locality") == "host-facts" for one in answer["readings"])
    ran = next(line for line in done.err.splitlines() if "running" in line)
    assert f"{name} " in ran and "sh -s -- 1" in ran and "read-only" in ran


def test_what_fails_is_said_and_the_answer_comes(programs: Path, program: Callable[..., Done]) -> None:
    said(programs / "ssh", "echo 'Host key verification failed.' >&2; exit 255")
    done = program(*ARGS, "--ssh", "cache-7")
    assert json.loads(done.out)["causes"]
    assert (
        "nothing could be read about the server's machine: ssh ended with status 255: Host key verification failed."
        in done.err
    )


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("--ssh", "-oProxyCommand=id"), "--ssh"),
        (("--ssh=-oProxyCommand=id",), "'-oProxyCommand=id'"),
        (("--ssh", "a", "--pod", "b/c"), "--ssh and --pod"),
        (("--pod", "cache"), "NAMESPACE/POD"),
        (("--host-port", "6379"), "--ssh or --pod"),
    ],
)
def test_wrong_usage_runs_nothing(
    programs: Path, program: Callable[..., Done], args: tuple[str, ...], named: str
) -> None:
    said(programs / "ssh", f"touch {programs}/ran")
    done = program(*ARGS, *args)
    assert done.status == 2
    assert named in done.err
    assert not (programs / "ran").exists()
