"""Which servers the tests run on, which tests are live, and which of those score the lab."""

import os
import signal
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rediagnose
from evals.lab.servers import installed, missing
from tests.program import SETTINGS, STATE, Done

LIVE_FIXTURES = {"kind", "server", "incident", "start"}
"""Fixtures that start a server: a test that asks for one of them is live."""
SERVERS = {*(kind.binary.name for kind in installed()), "prometheus", "prometheus-redis-exporter"}
_fast_test = ""
"""The test that runs, unless it's live."""

# Where the tests are started in the background a Ctrl-C is ignored, and so it is by every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _refuse_servers(event: str, arguments: tuple[Any, ...]) -> None:
    """Keeps the fast tier honest: a test that isn't marked live fails where it starts a server."""
    if event == "subprocess.Popen" and _fast_test:
        command = [os.fsdecode(word) for word in arguments[1]]
        if "--version" not in command and SERVERS & {Path(word).name for word in command}:
            raise AssertionError(f"{_fast_test} starts a server and isn't marked live: {' '.join(command[:4])}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Remember which test runs."""
    global _fast_test
    _fast_test = "" if item.get_closest_marker("live") else item.nodeid
    try:
        return (yield)
    finally:
        _fast_test = ""


def pytest_addoption(parser: pytest.Parser) -> None:
    """A part of the tests, where the whole takes too long for every commit."""
    parser.addoption("--share", type=int, default=1, help="run each Nth test of those that are selected")
    parser.addoption("--kinds", type=int, default=3, help="run a test of every server on so many of them, by rotation")
    parser.addoption("--turn", type=int, default=0, help="which share and which servers: others by another number")


def pytest_configure() -> None:
    """Watch what the tests start."""
    sys.addaudithook(_refuse_servers)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a server by its fixtures; where no fixture tells it, the test or its module has the mark.

    A live test in a module of causes is one of the lab: the answer to a fault that is there.
    """
    for item in items:
        if isinstance(item, pytest.Function) and LIVE_FIXTURES & set(item.fixturenames):
            item.add_marker("live")
        if item.get_closest_marker("live") and item.path.name.startswith("test_causes_"):
            item.add_marker("lab")


@pytest.hookimpl(trylast=True, specname="pytest_collection_modifyitems")
def pytest_keep_a_share(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What `--share N` leaves of what the marks have selected."""
    if (share := config.getoption("share")) > 1:
        kept = items[config.getoption("turn") % share :: share]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def pytest_report_header() -> list[str]:
    """One line for what is there, one for each that isn't."""
    return [f"servers: {', '.join(kind.name for kind in installed()) or 'none'}", *(f"missing: {m}" for m in missing())]


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """The program in this process, without this environment's settings: for what ends before a server is asked."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", STATE.name)

    def run(*args: str) -> Done:
        capsys.readouterr()
        status = rediagnose.main(list(args))
        printed = capsys.readouterr()
        return Done(status, printed.out, printed.err)

    return run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for a `kind` of server as many of those that are here as `--kinds` says, by rotation."""
    marks = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    own = {name.strip() for names in marks for name in (names.split(",") if isinstance(names, str) else names)}
    if "kind" in metafunc.fixturenames and "kind" not in own:
        kinds = installed()
        count = min(metafunc.config.getoption("kinds"), len(kinds))
        first = zlib.crc32(metafunc.definition.nodeid.encode()) + metafunc.config.getoption("turn")
        chosen = [kinds[(first + number) % len(kinds)] for number in range(count)]
        metafunc.parametrize("kind", chosen, ids=lambda kind: kind.name)
