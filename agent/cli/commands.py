"""The agent's commands and their options; light, so that --help is quick."""

import argparse
from collections.abc import Sequence

from agent.change_options import audit, configure_change
from agent.cli.options import configure_acl, connection
from agent.cli.program import Command


def positive(text: str) -> float:
    """A number above 0."""
    number = _number(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number of seconds above 0")
    return number


def price(text: str) -> float:
    """An amount of money, 0 for what is free."""
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
    """A moment of a recording, in seconds from its begin."""
    number = _number(text)
    if not 0 <= number < 1e8:
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds from the recording's begin, 0 or more")
    return number


def port(text: str) -> int:
    """A TCP port."""
    if not text.isdecimal() or not 0 < int(text[:9]) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r}: give a port from 1 to 65535")
    return int(text)


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


def sources(parser: argparse.ArgumentParser) -> None:
    """The options that say what is looked at besides the servers, and how far."""
    add = parser.add_argument
    add("--at", metavar="TIME", help="when it was reported, such as 14:05: what the history is compared around (now)")
    add(
        "--prometheus",
        metavar="URL",
        help="keeps redis_exporter's figures (rediagnose.toml, $REDIAGNOSE_PROMETHEUS)",
    )
    add("--host-facts", metavar="FILE", help="what `rediagnose host-script` printed on the server's machine")
    add("--server-log", metavar="FILE", help="the server's log, where it can't be found because the server is dead")
    add("--one-node", action="store_true", help="only the URL's node: none that it names is dialled or logged into")


def common(
    parser: argparse.ArgumentParser, forms: Sequence[str] = ("text", "json", "markdown"), *, approves: bool = True
) -> None:
    """The options of an investigation whose answer is printed; `forms` are those of it, its usual one first."""
    add = parser.add_argument
    add("--format", choices=forms, default=forms[0], help=f"of the answer on stdout ({forms[0]})")
    investigating(parser)
    add(
        "--notify",
        action="append",
        default=[],
        metavar="WHERE",
        help="a webhook: its URL, or its name in rediagnose.toml",
    )
    if approves:
        _approve(parser)
        add("--reveal", action="store_true", help="print what stands behind the handles, such as client#1")
    else:
        parser.set_defaults(approve="never", reveal=False)
    add("--show-prompt", action="store_true", help="print exactly what would leave for the model; send nothing")


def _approve(parser: argparse.ArgumentParser) -> None:
    ways = ("ask", "never")
    parser.add_argument(
        "--approve", choices=ways, default="ask", help="ask about each change; `never` without a terminal"
    )


def investigating(parser: argparse.ArgumentParser) -> None:
    """The options that every investigation takes."""
    add = parser.add_argument
    add("--model", metavar="NAME", help="`offline` for the checks alone; default: $REDIAGNOSE_MODEL if there is a key")
    add("--window", type=window, default=2.0, metavar="SECONDS", help="between the two samples (2)")
    add("--deadline", type=positive, metavar="SECONDS", help="for the whole (30 for the checks, 180 with a model)")
    add("--model-timeout", type=positive, default=60.0, metavar="SECONDS", help="for one answer of the model (60)")
    add("--max-tokens", type=whole, metavar="N", help="most tokens of one answer of the model")
    add("--max-turns", type=whole, default=12, metavar="N", help="most turns of the model (12)")
    add(
        "--max-total-tokens",
        type=whole,
        default=400_000,
        metavar="N",
        help="most tokens of the model, all turns (400000)",
    )
    add("--price-in", type=price, metavar="PRICE", help="of a million tokens sent to the model, in any currency")
    add("--price-out", type=price, metavar="PRICE", help="of a million tokens that the model writes")
    add("--max-cost", type=price, metavar="PRICE", help="most that the model may cost, by these prices")
    sources(parser)
    add(
        "--max-commands",
        type=whole,
        default=400,
        metavar="N",
        help="for the incident, and 40 for each further node (400)",
    )
    add("--max-pings", type=whole, default=200, metavar="N", help="of latency samples, for the incident (200)")
    add("--baseline", metavar="FILE", help="a recording of a calm hour, to compare with (see capture)")
    add("--record", metavar="FILE", help="write the incident down, for replay, apply, rollback and others' eyes")
    add("--runbooks", metavar="DIR", help="your own runbooks; they come before the bundled ones")
    audit(parser)
    connection(parser)


def _chat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="*", metavar="URL|SYMPTOM", help="the one with :// is the URL; else $REDIS_URL")
    parser.add_argument("--resume", metavar="FILE", help="go on with a recorded incident")
    investigating(parser)
    _approve(parser)


def _triage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="*", metavar="URL|SYMPTOM", help="the one with :// is the URL; else $REDIS_URL")
    common(parser)


def _annotate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("ticket", metavar="TICKET|-", help="a file, or - for stdin: JSON of a ticket or an alert, or plain text")
    add("--url", metavar="URL", help="of the server; else rediagnose.toml tells it by the ticket's labels and text")
    add("--target", metavar="NAME", help="of the server in rediagnose.toml")
    add("--post", action="store_true", help="write the comment into the ticket, or update the one that's there")
    common(parser, ("markdown", "jira", "adf", "text", "json"), approves=False)


def _capture(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("what", nargs="*", metavar="URL|SYMPTOM", help="the one with :// is the URL; else $REDIS_URL")
    add("-o", "--output", dest="record", required=True, metavar="FILE", help="a new file; nothing is overwritten")
    add("--duration", type=positive, default=20.0, metavar="SECONDS", help="after the first readings (20)")
    add("--every", type=window, default=2.0, metavar="SECONDS", help="between two looks at the vital signs (2)")
    add("--window", type=window, default=2.0, metavar="SECONDS", help="between the two samples at the start (2)")
    sources(parser)
    connection(parser)
    parser.set_defaults(baseline=None)


def _replay(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", help="what --record wrote")
    add("--port", type=port, metavar="N", help="of the first node; further nodes get free ones (a free one)")
    time = parser.add_mutually_exclusive_group()
    time.add_argument("--speed", type=positive, default=1.0, metavar="X", help="how fast the recording's time runs (1)")
    time.add_argument("--at", type=moment, metavar="SECONDS", help="stand still at this moment of the recording")


def _nothing(parser: argparse.ArgumentParser) -> None:
    pass


def _runbooks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=("list", "show", "check"))
    told = "a runbook's name or a cause's id (show); a folder (check; else the bundled ones)"
    parser.add_argument("name", nargs="?", metavar="NAME|DIR", help=told)


COMMANDS = (
    Command("triage", "[URL] [SYMPTOM]", "investigate; the answer on stdout", _triage, "agent.cli.triage:triage"),
    Command("chat", "[URL] [SYMPTOM]", "the same as a conversation: questions, readings, the plan step by step",
            _chat, "agent.cli.chat:chat"),
    Command("annotate", "TICKET|-", "a ticket or alert in (JSON or text), a comment out; --post sends it", _annotate,
            "agent.cli.annotate:annotate"),
    Command("capture", "[URL] [SYMPTOM] -o FILE", "record the full diagnostic state, for a replay or as a baseline",
            _capture, "agent.cli.capture:capture_"),
    Command("replay", "FILE", "serve a recording as Redis endpoints on loopback, for any client", _replay,
            "agent.cli.replay:replay"),
    Command("apply", "FILE STEP --url URL", "carry out one step of a recorded plan, approved anew",
            configure_change, "agent.cli.apply:apply"),
    Command("rollback", "FILE STEP --url URL", "take a step back that was applied",
            configure_change, "agent.cli.apply:rollback"),
    Command("acl", "[URL]", "the least-privilege users for a server, and what the current one can't read",
            configure_acl, "agent.cli.acl:acl"),
    Command("host-script", "", "a read-only script for a machine that the agent can't log into; see --host-facts",
            _nothing, "agent.cli.host_script:host_script"),
    Command("runbooks", "list|show NAME|check [DIR]", "the runbooks, by name or cause, and a check of your own",
            _runbooks, "agent.cli.runbooks:runbooks"),
)  # fmt: skip
