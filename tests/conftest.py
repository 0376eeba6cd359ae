"""Which servers the tests run on."""

import signal

import pytest

from evals.lab.servers import ServerKind, installed, missing

# Where the tests are started in the background a Ctrl-C is ignored, and so it is by every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> list[str]:
    """One line for what is there, one for each that isn't."""
    return [f"servers: {', '.join(kind.name for kind in installed()) or 'none'}", *(f"missing: {m}" for m in missing())]


@pytest.fixture(params=installed(), ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> ServerKind:
    """Each server that is here, in turn."""
    found: ServerKind = request.param
    return found
