"""The agent's commands and their options; light, so that --help is quick."""

import argparse

from agent.cli.argument_types import moment, port, positive, window
from agent.cli.options import (
    approving,
    common,
    configure_acl,
    configure_change,
    connection,
    detail,
    investigating,
    place,
    server,
    sources,
)
from agent.cli.program import Command


def _chat(parser: argparse.ArgumentParser) -> None:
    place(parser)
    parser.add_argument(
        "--resume", metavar="FILE|last", help="go on with a recorded incident, or with the last conversation"
    )
    investigating(parser)
    approving(parser)


def _triage(parser: argparse.ArgumentParser) -> None:
    place(parser)
    common(parser)
    detail(parser)


def _annotate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    words = "a file, or - for stdin: JSON of a ticket or an alert, or plain text; it says the server if no option does"
    add("ticket", metavar="TICKET|-", help=words)
    server(parser)
    add("--post", action="store_true", help="write the comment into the ticket, or update the one that's there")
    common(parser, ("markdown", "jira", "adf", "text", "json", "html"), approves=False)


def _capture(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    place(parser)
    add("-o", "--output", dest="record", required=True, metavar="FILE", help="a new file; nothing is overwritten")
    add("--duration", type=positive, metavar="SECONDS", help="after the first readings (20)")
    add("--every", type=window, metavar="SECONDS", help="between two looks at the vital signs (2)")
    add("--window", type=window, metavar="SECONDS", help="between the two samples at the start (2)")
    add("--deadline", type=positive, metavar="SECONDS", help="for the whole (90, and --duration)")
    sources(parser)
    connection(parser)


def _replay(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", help="what --record wrote")
    add("--port", type=port, metavar="N", help="of the first node; further nodes get free ones (a free one)")
    time = parser.add_mutually_exclusive_group()
    time.add_argument("--speed", type=positive, metavar="X", help="how fast the recording's time runs (1)")
    time.add_argument("--at", type=moment, metavar="SECONDS", help="stand still at this moment of the recording")


def _trust(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="the file (rediagnose.toml of this folder)")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--revoke", action="store_true", help="trust it no more")
    way.add_argument("--list", action="store_true", help="print the files that are trusted")


def _nothing(parser: argparse.ArgumentParser) -> None:
    pass


def _runbooks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=("list", "show", "check"))
    hint = "a runbook's name or a cause's id (show); a folder (check; else the bundled ones)"
    parser.add_argument("name", nargs="?", metavar="NAME|DIR", help=hint)


COMMANDS = (
    Command("triage", "[URL] [SYMPTOM]", "investigate; the answer on stdout", _triage,
            "agent.cli.inputs:TriageInputs", "agent.cli.triage:triage"),
    Command("chat", "[URL] [SYMPTOM]", "the same as a conversation: questions, readings, the plan step by step",
            _chat, "agent.cli.inputs:ChatInputs", "agent.cli.chat:chat"),
    Command("annotate", "TICKET|-", "a ticket or alert in (JSON or text), a comment out; --post sends it", _annotate,
            "agent.cli.inputs:AnnotateInputs", "agent.cli.annotate:annotate"),
    Command("capture", "[URL] [SYMPTOM] -o FILE", "record the full diagnostic state, for a replay or as a baseline",
            _capture, "agent.cli.inputs:CaptureInputs", "agent.cli.capture:capture_"),
    Command("replay", "FILE", "serve a recording as Redis endpoints on loopback, for any client", _replay,
            "agent.cli.inputs:ReplayInputs", "agent.cli.replay:replay"),
    Command("apply", "FILE STEP --url URL", "carry out one step of a recorded plan, approved again",
            configure_change, "agent.cli.inputs:ChangeInputs", "agent.cli.apply:apply"),
    Command("rollback", "FILE STEP --url URL", "take a step back that was applied",
            configure_change, "agent.cli.inputs:ChangeInputs", "agent.cli.apply:rollback"),
    Command("acl", "[URL]", "the least-privilege users for a server, and what the current one can't read",
            configure_acl, "agent.cli.inputs:AclInputs", "agent.cli.acl:acl"),
    Command("trust", "[FILE]", "let a folder's rediagnose.toml say where credentials go, until it changes", _trust,
            "agent.cli.inputs:TrustInputs", "agent.cli.trust:trust_"),
    Command("host-script", "", "a read-only script for a machine that the agent can't log into; see --host-facts",
            _nothing, "agent.cli.inputs:NoInputs", "agent.cli.host_script:host_script"),
    Command("runbooks", "list|show NAME|check [DIR]", "the runbooks, by name or cause, and a check of your own",
            _runbooks, "agent.cli.inputs:RunbooksInputs", "agent.cli.runbooks:runbooks"),
)  # fmt: skip
