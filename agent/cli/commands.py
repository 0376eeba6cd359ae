"""The agent's commands and their options; light, so that --help is quick."""

from agent.cli.argument_types import moment, port, positive, window
from agent.cli.options import (
    approving,
    common,
    configure_acl,
    configure_change,
    configure_doctor,
    connection,
    detail,
    investigating,
    place,
    server,
    sources,
)
from agent.cli.parsing import Parser
from agent.cli.program import Command


def _chat(parser: Parser) -> None:
    place(parser)
    parser.add_argument(
        "--resume", metavar="FILE|last", help="go on with a recorded incident, or with the last conversation"
    )
    investigating(parser)
    approving(parser)


def _triage(parser: Parser) -> None:
    place(parser)
    common(parser)
    detail(parser)


def _annotate(parser: Parser) -> None:
    add = parser.add_argument
    words = "a file, or - for stdin: JSON of a ticket or an alert, or plain text; it says the server if no option does"
    add("ticket", metavar="TICKET|-", help=words)
    server(parser)
    add("--post", action="store_true", help="write the comment into the ticket, or update the one that's there")
    common(parser, ("markdown", "jira", "adf", "text", "json", "html"), approves=False)


def _capture(parser: Parser) -> None:
    add = parser.add_argument
    place(parser)
    add("-o", "--output", dest="record", required=True, metavar="FILE", help="a new file; nothing is overwritten")
    add("--duration", type=positive, metavar="SECONDS", help="after the first readings (20)")
    add("--every", type=window, metavar="SECONDS", help="between two looks at the vital signs (2)")
    add("--window", type=window, metavar="SECONDS", help="between the two samples at the start (2)")
    add("--deadline", type=positive, metavar="SECONDS", help="for the whole (90, and --duration)")
    sources(parser)
    connection(parser)


def _replay(parser: Parser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", help="what --record wrote")
    add("--port", type=port, metavar="N", help="of the first node; further nodes get free ones (a free one)")
    time = parser.add_mutually_exclusive_group()
    time.add_argument("--speed", type=positive, metavar="X", help="how fast the recording's time runs (1)")
    time.add_argument("--at", type=moment, metavar="SECONDS", help="stand still at this moment of the recording")


def _trust(parser: Parser) -> None:
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="the file (rediagnose.toml of this folder)")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--revoke", action="store_true", help="trust it no more")
    way.add_argument("--list", action="store_true", help="print the files that are trusted")


def _completion(parser: Parser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.set_defaults(root=parser.root)


def _nothing(parser: Parser) -> None:
    pass


def _runbooks(parser: Parser) -> None:
    parser.add_argument("verb", choices=("list", "show", "check", "new"))
    hint = "a runbook's name (show) or a cause's id (show, new); a folder (check; else the bundled ones)"
    parser.add_argument("name", nargs="?", metavar="NAME|DIR", help=hint)


_LOOK, _CHANGE, _RECORD, _SET_UP = "Investigate", "Change something", "Record and replay", "Set up"
COMMANDS = (
    Command("triage", "[SERVER] [SYMPTOM]", "investigate; the answer on stdout", _triage,
            "agent.cli.inputs:TriageInputs", "agent.cli.triage:triage", _LOOK,
            ('rediagnose triage redis://host:6379 "checkout times out"',
             "rediagnose triage orders --exit-code --format json")),
    Command("chat", "[SERVER] [SYMPTOM]", "the same as a conversation: questions, readings, the plan step by step",
            _chat, "agent.cli.inputs:ChatInputs", "agent.cli.chat:chat", _LOOK,
            ('rediagnose chat redis://host:6379 "checkout times out"',
             "rediagnose chat --resume incident.rec")),
    Command("annotate", "TICKET|-", "a ticket or alert in (JSON or text), a comment out; --post sends it", _annotate,
            "agent.cli.inputs:AnnotateInputs", "agent.cli.annotate:annotate", _LOOK,
            ("rediagnose annotate alert.json --post",
             "rediagnose annotate - --target orders --format jira <ticket.txt")),
    Command("apply", "FILE STEP --url URL", "carry out one step of a recorded plan, approved again",
            configure_change, "agent.cli.inputs:ChangeInputs", "agent.cli.apply:apply", _CHANGE,
            ("rediagnose apply incident.rec s1 --url redis://host:6379",
             "rediagnose apply incident.rec s1 -t orders --confirm 'CONFIG SET maxclients 10000'")),
    Command("rollback", "FILE STEP --url URL", "take a step back that was applied",
            configure_change, "agent.cli.inputs:ChangeInputs", "agent.cli.apply:rollback", _CHANGE,
            ("rediagnose rollback incident.rec s1 --url redis://host:6379",
             "rediagnose rollback incident.rec s1 -t orders --confirm 'CONFIG SET maxclients 64'")),
    Command("capture", "[SERVER] [SYMPTOM] -o FILE", "record the full diagnostic state, for a replay or as a baseline",
            _capture, "agent.cli.inputs:CaptureInputs", "agent.cli.capture:capture_", _RECORD,
            ("rediagnose capture redis://host:6379 -o calm.rec",
             "rediagnose capture orders -o incident.rec --duration 60")),
    Command("replay", "FILE", "serve a recording as Redis endpoints on loopback, for any client", _replay,
            "agent.cli.inputs:ReplayInputs", "agent.cli.replay:replay", _RECORD,
            ("rediagnose replay incident.rec --port 7000", "rediagnose replay incident.rec --at 12")),
    Command("doctor", "[SERVER]", "what can be reached, read and asked from here, and which settings say so",
            configure_doctor, "agent.cli.inputs:DoctorInputs", "agent.cli.doctor:doctor", _SET_UP,
            ("rediagnose doctor redis://host:6379", "rediagnose doctor orders --format json")),
    Command("acl", "[SERVER]", "the least-privilege users for a server, and what the current one can't read",
            configure_acl, "agent.cli.inputs:AclInputs", "agent.cli.acl:acl", _SET_UP,
            ("rediagnose acl redis://host:6379 --tier reader", "rediagnose acl orders --check")),
    Command("trust", "[FILE]", "let a folder's rediagnose.toml say where credentials go, until it changes", _trust,
            "agent.cli.setup_inputs:TrustInputs", "agent.cli.trust:trust_", _SET_UP,
            ("rediagnose trust", "rediagnose trust --list")),
    Command("host-script", "", "a read-only script for a machine that the agent can't log into; see --host-facts",
            _nothing, "agent.cli.setup_inputs:NoInputs", "agent.cli.host_script:host_script", _SET_UP,
            ("rediagnose host-script >facts.sh", "rediagnose host-script | ssh host sh -s -- 6379 >facts.txt")),
    Command("runbooks", "list|show NAME|check [DIR]|new CAUSE", "the runbooks by name or cause, and your own",
            _runbooks, "agent.cli.setup_inputs:RunbooksInputs", "agent.cli.runbooks:runbooks", _SET_UP,
            ("rediagnose runbooks show maxclients-exhausted", "rediagnose runbooks check ./runbooks")),
    Command("schema", "", "the JSON schema of an answer, as triage --format json prints it", _nothing,
            "agent.cli.setup_inputs:NoInputs", "agent.cli.schema:schema", _SET_UP,
            ("rediagnose schema >answer.schema.json", "rediagnose schema | jq .properties.outcome")),
    Command("completion", "bash|zsh|fish", "the script that makes a shell complete commands, options and files",
            _completion, "agent.cli.setup_inputs:CompletionInputs", "agent.cli.completion:completion", _SET_UP,
            ("rediagnose completion bash >~/.local/share/bash-completion/completions/rediagnose",
             "rediagnose completion fish >~/.config/fish/completions/rediagnose.fish")),
)  # fmt: skip
