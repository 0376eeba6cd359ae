"""The types of command-line arguments: each takes a text, or refuses it with the text and the remedy."""

import argparse


def positive(text: str) -> float:
    """A number above 0."""
    number = _number(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number of seconds above 0")
    return number


def price(text: str) -> float:
    """An amount of money; 0 for free."""
    number = _number(text)
    if not 0 <= number < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r}: give an amount, 0 or more")
    return number


def window(text: str) -> float:
    """A window that a sample can be spread over."""
    number = _number(text)
    if not 0.2 <= number <= 60:
        raise argparse.ArgumentTypeError(f"{text!r}: give 0.2 to 60 seconds")
    return number


def moment(text: str) -> float:
    """A moment of a recording, in seconds from its start."""
    number = _number(text)
    if not 0 <= number < 1e8:
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds from the start of the recording, 0 or more")
    return number


def port(text: str) -> int:
    """A TCP port."""
    if not text.isdecimal() or not 0 < int(text[:9]) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r}: give a port from 1 to 65535")
    return int(text)


def network(text: str) -> str:
    """A network in CIDR form, or one address."""
    # --help doesn't need it.
    import ipaddress

    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give a network such as 10.1.0.0/16, or an address") from None


def whole(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number above 0")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number") from None
