"""How often a first answer changes: counted, and seen on a server that is well."""

import pytest

from evals.flips import Repeated, line, repeated
from evals.lab.servers import installed


def of(*answers: str) -> Repeated:
    return Repeated(fault="healthy-load", kind="redis-7.0", right="no-fault", answers=answers)


def test_a_flip_is_what_differs_from_the_commonest_answer() -> None:
    assert (of("no-fault", "no-fault").flips, of("no-fault", "no-fault").wrong) == (0, 0)
    # The same wrong answer each time is no flip.
    assert (of("packet-loss", "packet-loss").flips, of("packet-loss", "packet-loss").wrong) == (0, 2)
    assert (of("no-fault", "packet-loss", "no-fault").flips, of().flips) == (1, 0)


def test_a_line_says_what_was_answered_and_how_often() -> None:
    said = line(of("no-fault", "packet-loss", "no-fault"))
    assert said == "healthy-load on redis-7.0: 1 flips of 3, 1 wrong (no-fault 2, packet-loss 1)"


@pytest.mark.live
async def test_a_server_that_is_well_is_called_well_each_time() -> None:
    kinds = installed()
    if not kinds:
        pytest.skip("no server here")
    one = await repeated("healthy-pool", kinds[0].name, 1, 2)
    assert one.answers == ("no-fault", "no-fault")
