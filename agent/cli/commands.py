"""The agent's commands and their options; light, so that --help is quick."""

from agent.cli.argument_types import moment, port, positive, window
from agent.cli.check_options import configure_check
from agent.cli.mcp_options import configure_mcp
from agent.cli.options import (
    approving,
    common,
    configure_acl,
    configure_change,
    configure_doctor,
    connection,
    detail,
    investigating,
    paste,
    place,
    server,
    sources,
)
from agent.cli.parsing import Parser
from agent.cli.program import AT_BOOT, Command
from agent.cli.serve_options import configure_incidents, configure_serve, configure_worker


def _chat(parser: Parser) -> None:
    place(parser)
    parser.add_argument("--resume", metavar="FILE|last", help="resume a recorded incident, or the last conversation")
    investigating(parser)
    paste(parser)
    approving(parser)


def _triage(parser: Parser) -> None:
    place(parser)
    common(parser)
    detail(parser)


def _annotate(parser: Parser) -> None:
    add = parser.add_argument
    words = (
        "a file, or - for stdin: a ticket or alert as JSON, or plain text; it names the server unless an option does"
    )
    add("ticket", metavar="TICKET|-", help=words)
    server(parser)
    add("--post", action="store_true", help="post the comment to the ticket, or update the existing one")
    common(parser, ("markdown", "jira", "adf", "text", "json", "html"), approves=False)


def _capture(parser: Parser) -> None:
    add = parser.add_argument
    place(parser)
    add(
        "-o",
        "--output",
        dest="record",
        required=True,
        metavar="FILE",
        help="a new file; an existing one is never overwritten",
    )
    add("--duration", type=positive, metavar="SECONDS", help="how long to record after the first readings (20)")
    add("--every", type=window, metavar="SECONDS", help="time between two readings of the vital signs (2)")
    add("--window", type=window, metavar="SECONDS", help="time between the two samples at the start (2)")
    add("--deadline", type=positive, metavar="SECONDS", help="time limit for the whole command (90, plus --duration)")
    sources(parser)
    connection(parser)


def _replay(parser: Parser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", help="a recording written by --record")
    add("--port", type=port, metavar="N", help="port of the first node; other nodes get free ports (a free port)")
    time = parser.add_mutually_exclusive_group()
    time.add_argument("--speed", type=positive, metavar="X", help="how fast to play the recording (1)")
    time.add_argument("--at", type=moment, metavar="SECONDS", help="stay at this moment of the recording")


def _trust(parser: Parser) -> None:
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="the file (rediagnose.toml in this folder)")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--revoke", action="store_true", help="stop trusting the file")
    way.add_argument("--list", action="store_true", help="list the trusted files")


def _completion(parser: Parser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.set_defaults(root=parser.root())


def _nothing(parser: Parser) -> None:
    pass


def _runbooks(parser: Parser) -> None:
    parser.add_argument("verb", choices=("list", "show", "check", "new"))
    hint = "a runbook's name (show), a cause's id (show, new) or a folder (check; default: the bundled runbooks)"
    parser.add_argument("name", nargs="?", metavar="NAME|DIR", help=hint)


_LOOK, _CHANGE, _RECORD, _SET_UP = "Investigate", "Change something", "Record and replay", "Set up"
_SERVE = "Leave running"
COMMANDS = (
    Command("triage", "[SERVER] [SYMPTOM]", "investigate, and print the answer on stdout", _triage,
            "agent.cli.inputs:TriageInputs", "agent.cli.triage:triage", _LOOK,
            ('rediagnose triage redis://host:6379 "checkout times out"',
             "rediagnose triage orders --exit-code --format json")),
    Command("chat", "[SERVER] [SYMPTOM]", "the same as a conversation: ask questions, take readings, "
        "go through the plan step by step",
            _chat, "agent.cli.other_inputs:ChatInputs", "agent.cli.chat:chat", _LOOK,
            ('rediagnose chat redis://host:6379 "checkout times out"',
             "rediagnose chat --resume incident.rec")),
    Command("annotate", "TICKET|-", "turn a ticket or alert (JSON or text) into a comment; --post sends it", _annotate,
            "agent.cli.other_inputs:AnnotateInputs", "agent.cli.annotate:annotate", _LOOK,
            ("rediagnose annotate alert.json --post",
             "rediagnose annotate - --target orders --format jira <ticket.txt")),
    Command("check", "[TARGET...]", "check many servers: one table, worst first, of what is wrong or soon will be",
            configure_check, "agent.cli.check_inputs:CheckInputs", "agent.cli.check:check", _LOOK,
            ("rediagnose check --all --fail-on preventive", "rediagnose check --inventory servers.txt --format json")),
    Command("apply", "FILE STEP --url URL", "carry out one step of a recorded plan, after asking again",
            configure_change, "agent.cli.other_inputs:ChangeInputs", "agent.cli.apply:apply", _CHANGE,
            ("rediagnose apply incident.rec s1 --url redis://host:6379",
             "rediagnose apply incident.rec s1 -t orders --confirm 'CONFIG SET maxclients 10000'")),
    Command("rollback", "FILE STEP --url URL", "undo a step that was applied",
            configure_change, "agent.cli.other_inputs:ChangeInputs", "agent.cli.apply:rollback", _CHANGE,
            ("rediagnose rollback incident.rec s1 --url redis://host:6379",
             "rediagnose rollback incident.rec s1 -t orders --confirm 'CONFIG SET maxclients 64'")),
    Command("serve", "", "take incidents over HTTP, investigate them, and let people decide about the steps",
            configure_serve, "agent.cli.serve_inputs:ServeInputs", "agent.cli.serve:serve", _SERVE,
            ("rediagnose serve", "rediagnose serve --database postgresql://rediagnose@db/rediagnose --notify team"),
            AT_BOOT),
    Command("worker", "", "share the investigations of a service, in this process or on another machine",
            configure_worker, "agent.cli.serve_inputs:WorkerInputs", "agent.cli.serve:worker", _SERVE,
            ("rediagnose worker --database postgresql://rediagnose@db/rediagnose", "rediagnose worker --jobs 8"),
            AT_BOOT),
    Command("slack", "", "the same from a Slack workspace: incidents, questions and approvals in threads",
            configure_worker, "agent.cli.slack:SlackInputs", "agent.cli.slack:slack", _SERVE,
            ("rediagnose slack", "rediagnose slack --database postgresql://rediagnose@db/rediagnose"),
            AT_BOOT),
    Command("incidents", "list|show ID|export ID", "list, show and export the incidents that a service keeps",
            configure_incidents, "agent.cli.serve_inputs:IncidentsInputs", "agent.cli.incidents:incidents", _SERVE,
            ("rediagnose incidents list --open", "rediagnose incidents export 20260131-020507-123abcdef")),
    Command("mcp", "", "let an assistant look, explain and propose, over stdin and stdout (MCP)",
            configure_mcp, "agent.cli.mcp_inputs:McpInputs", "agent.cli.mcp:mcp", _SERVE,
            ("rediagnose mcp", "rediagnose mcp --allow-urls"),
            AT_BOOT),
    Command("capture", "[SERVER] [SYMPTOM] -o FILE", "record the full diagnostic state, to replay it or as a baseline",
            _capture, "agent.cli.other_inputs:CaptureInputs", "agent.cli.capture:capture_", _RECORD,
            ("rediagnose capture redis://host:6379 -o calm.rec",
             "rediagnose capture orders -o incident.rec --duration 60")),
    Command("replay", "FILE", "serve a recording as Redis endpoints on loopback, for any client", _replay,
            "agent.cli.other_inputs:ReplayInputs", "agent.cli.replay:replay", _RECORD,
            ("rediagnose replay incident.rec --port 7000", "rediagnose replay incident.rec --at 12"),
            AT_BOOT),
    Command("doctor", "[SERVER]", "show what can be reached and read from here, and where each setting comes from",
            configure_doctor, "agent.cli.other_inputs:DoctorInputs", "agent.cli.doctor:doctor", _SET_UP,
            ("rediagnose doctor redis://host:6379", "rediagnose doctor orders --format json")),
    Command("acl", "[SERVER]", "print least-privilege users for a server, or what the current user can't read",
            configure_acl, "agent.cli.other_inputs:AclInputs", "agent.cli.acl:acl", _SET_UP,
            ("rediagnose acl redis://host:6379 --tier reader", "rediagnose acl orders --check")),
    Command("trust", "[FILE]", "trust a folder's rediagnose.toml to say where "
        "credentials go, until the file changes", _trust,
            "agent.cli.setup_inputs:TrustInputs", "agent.cli.trust:trust_", _SET_UP,
            ("rediagnose trust", "rediagnose trust --list")),
    Command("host-script", "", "print a read-only script to run on the server's machine; see --host-facts",
            _nothing, "agent.cli.setup_inputs:NoInputs", "agent.cli.host_script:host_script", _SET_UP,
            ("rediagnose host-script >facts.sh", "rediagnose host-script | ssh host sh -s -- 6379 >facts.txt")),
    Command("runbooks", "list|show NAME|check [DIR]|new CAUSE", "list, show and check runbooks, bundled or your own",
            _runbooks, "agent.cli.setup_inputs:RunbooksInputs", "agent.cli.runbooks:runbooks", _SET_UP,
            ("rediagnose runbooks show maxclients-exhausted", "rediagnose runbooks check ./runbooks")),
    Command("schema", "", "print the JSON schema of an answer, as triage --format json prints it", _nothing,
            "agent.cli.setup_inputs:NoInputs", "agent.cli.schema:schema", _SET_UP,
            ("rediagnose schema >answer.schema.json", "rediagnose schema | jq .properties.outcome")),
    Command("completion", "bash|zsh|fish", "print a shell's completion script for commands, options and files",
            _completion, "agent.cli.setup_inputs:CompletionInputs", "agent.cli.completion:completion", _SET_UP,
            ("rediagnose completion bash >~/.local/share/bash-completion/completions/rediagnose",
             "rediagnose completion fish >~/.config/fish/completions/rediagnose.fish")),
)  # fmt: skip
