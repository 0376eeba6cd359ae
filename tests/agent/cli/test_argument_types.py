"""What an argument may be: each bound's two sides, and what is said beyond it."""

import argparse
from collections.abc import Callable
from typing import Any

import pytest

from agent.cli.argument_types import moment, network, port, positive, price, whole, window

Type = Callable[[str], Any]


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (positive, "0.001", 0.001), (positive, "999999", 999999.0), (price, "0", 0.0),
        (price, "999999999", 999999999.0), (window, "0.2", 0.2), (window, "60", 60.0),
        (moment, "0", 0.0), (moment, "99999999", 99999999.0),
        (port, "1", 1), (port, "65535", 65535), (whole, "1", 1), (whole, "12", 12),
        (network, "10.1.2.3/16", "10.1.0.0/16"), (network, " 10.1.2.3 ", "10.1.2.3/32"), (network, "::1", "::1/128"),
    ],
)  # fmt: skip
def test_what_is_taken(type_: Type, text: str, value: object) -> None:
    assert type_(text) == value


SECONDS, MONEY, BEGIN = "seconds above 0", "an amount, 0 or more", "the start of the recording, 0 or more"


@pytest.mark.parametrize(
    ("type_", "text", "why"),
    [
        (positive, "0", SECONDS), (positive, "-1", SECONDS), (positive, "1e6", SECONDS), (positive, "nan", SECONDS),
        (positive, "soon", "'soon': give a number$"), (price, "-0.01", MONEY), (price, "1e9", MONEY),
        (price, "nan", MONEY), (window, "0.19", "give 0.2 to 60 seconds"), (window, "60.1", "give 0.2 to 60 seconds"),
        (moment, "-1", BEGIN), (moment, "1e8", BEGIN), (port, "0", "from 1 to 65535"), (port, "65536", "from 1 to"),
        (port, "http", "from 1 to 65535"), (port, "9" * 20, "from 1 to 65535"), (port, "\u00b2", "from 1 to 65535"),
        (whole, "0", "a whole number above 0"), (whole, "1.5", "a whole number above 0"),
        (network, "10.1.0.0/33", "give a network such as 10.1.0.0/16, or an address"), (network, "host", "a network"),
    ],
)  # fmt: skip
def test_what_is_refused_is_named_with_the_remedy(type_: Type, text: str, why: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=why) as refused:
        type_(text)
    assert str(refused.value).startswith(repr(text))
