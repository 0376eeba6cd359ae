"""The options that several commands share; light, so that --help is quick. Their defaults are in `inputs`."""

from argparse import BooleanOptionalAction
from collections.abc import Sequence

from agent.cli.argument_types import network, port, positive, price, whole, window
from agent.cli.parsing import Parser


def configure_acl(parser: Parser) -> None:
    """Add all its arguments."""
    add = parser.add_argument
    add(
        "what",
        nargs="*",
        default=[],
        metavar="SERVER",
        help="one node: a data node or a sentinel (default: $REDIS_URL)",
    )
    server(parser)
    add(
        "--check",
        action="store_true",
        help="check what the URL's user can read, and which causes the refused commands hide",
    )
    add("--kubernetes", action="store_true", help="print the read-only role for a Kubernetes cluster instead")
    add("--aws", action="store_true", help="print the read-only policy for what AWS itself is asked instead")
    add("--azure", action="store_true", help="the same as a role of Azure")
    add("--google", action="store_true", help="the same as a role of Google Cloud")
    add("-n", "--namespace", metavar="NS", help="the namespace that this role is for (default)")
    add("--tier", choices=("reader", "key-reader", "writer"), help="print only this user (all)")
    add("--format", choices=("text", "json"), help="format of the answer on stdout (text)")
    add("--deadline", type=positive, metavar="SECONDS", help="time limit for all queries to the server (60)")
    connection(parser)


def configure_doctor(parser: Parser) -> None:
    """Add all its arguments."""
    add = parser.add_argument
    add(
        "what",
        nargs="*",
        default=[],
        metavar="SERVER",
        help="the server's URL, address or target name (default: $REDIS_URL)",
    )
    server(parser)
    add("--format", choices=("text", "json"), help="output format (text)")
    add("--deadline", type=positive, metavar="SECONDS", help="time limit for the whole command (90)")
    model(parser)
    sources(parser)
    parser.section("what is looked at").add_argument("--runbooks", metavar="DIR", help="your own runbooks")
    audit(parser)
    connection(parser)


def place(parser: Parser) -> None:
    """The positionals of an investigation, and what may replace the first."""
    words = "the server's URL, address or target name (default: $REDIS_URL), and the symptom, in any order"
    parser.add_argument("what", nargs="*", default=[], metavar="SERVER|SYMPTOM", help=words)
    server(parser)


def server(parser: Parser) -> None:
    """The options that name the server, in every command that talks to one."""
    add = parser.section("the server").add_argument
    add("--url", metavar="URL", help="the server's URL, host or host:port")
    add("-t", "--target", dest="target_name", metavar="NAME", help="the server's name in rediagnose.toml")


def connection(parser: Parser) -> None:
    """Add the options for logging in."""
    add = parser.section("connecting and logging in").add_argument
    add("--password-file", metavar="FILE", help="a file whose first line is the password")
    add("--cacert", metavar="FILE", help="CA certificates to trust (rediss://)")
    add("--cert", metavar="FILE", help="client certificate")
    add("--key", metavar="FILE", help="client key")
    add("--insecure", action="store_true", help="don't verify the server's certificate")
    hint = "a network such as 10.1.0.0/16; nodes in it that the server names are sent the password too; may be repeated"
    add("--trust", action="append", type=network, metavar="CIDR", help=hint)


def sources(parser: Parser) -> None:
    """The options that say what is looked at besides the servers, and how far."""
    add = parser.section("what is looked at").add_argument
    add(
        "--at",
        metavar="TIME",
        help="when the problem was reported, such as 14:05; the history is compared around that time (now)",
    )
    add(
        "--prometheus",
        metavar="URL",
        help="a Prometheus with redis_exporter's metrics (rediagnose.toml, $REDIAGNOSE_PROMETHEUS)",
    )
    add(
        "--history",
        dest="history_file",
        metavar="FILE",
        help="the past that `rediagnose serve` keeps, to see what changed (the one in the state folder)",
    )
    add("--host-facts", metavar="FILE", help="the output of `rediagnose host-script` from the server's machine")
    hint = "run the read-only host script on that machine over your own ssh, without any prompt"
    add("--ssh", metavar="[USER@]HOST", help=hint)
    hint = "the same in a pod, with kubectl exec, and what Kubernetes knows of it; NS/NAME/CONTAINER for a container"
    add("--pod", metavar="NS/NAME", help=hint)
    hint = "ask Kubernetes about the Service that the address or the report names (NAME.NS.svc), and its pods"
    add("--kubernetes", action="store_true", help=hint)
    add("--context", metavar="NAME", help="the kubeconfig's context for --pod and --kubernetes (its current one)")
    hint = "don't ask AWS, Azure or Google itself about a server that it runs (--provider: do, and say what that lacks)"
    parser.section("what is looked at").add_argument("--provider", action=BooleanOptionalAction, help=hint)
    add(
        "--host-port",
        type=port,
        metavar="N",
        help="the server's port on that machine, if a tunnel gives it a different one here",
    )
    add("--server-log", metavar="FILE", help="the server's log, for when it can't be found because the server is down")
    add(
        "--one-node",
        action="store_true",
        help="look only at the URL's node, and connect to none of the nodes that it names",
    )


def common(
    parser: Parser,
    forms: Sequence[str] = ("text", "json", "markdown", "html"),
    *,
    approves: bool = True,
) -> None:
    """The options of an investigation whose answer is printed; `forms` are its formats, the default first."""
    add = parser.section("the answer").add_argument
    add("--format", choices=forms, help=f"format of the answer on stdout ({forms[0]})")
    add("--all-readings", action="store_true", help="in a large deployment, print the readings of healthy nodes too")
    hint = "exit with 0 if the server is healthy, 10 if a fault was found, 11 if it can't be decided"
    add("--exit-code", action="store_true", help=hint)
    investigating(parser)
    paste(parser)
    add(
        "--notify",
        action="append",
        metavar="WHERE",
        help="a webhook to notify: its URL, or its name in rediagnose.toml",
    )
    if approves:
        approving(parser)
        add("--reveal", action="store_true", help="print the real names behind handles such as client#1")
    add("--show-prompt", action="store_true", help="print exactly what would be sent to the model, and send nothing")


def paste(parser: Parser) -> None:
    """The option for what was copied from a server."""
    hint = "INFO, SLOWLOG GET, CLIENT LIST, a log ... as copied, a folder or an archive of them, instead of a server"
    parser.section("what is looked at").add_argument("--paste", action="append", metavar="FILE|-", help=hint)


def approving(parser: Parser) -> None:
    """The option that says whether a person is asked."""
    ways = ("ask", "never")
    parser.section("the answer").add_argument(
        "--approve", choices=ways, help="ask about each change, or never (the default without a terminal)"
    )


def investigating(parser: Parser) -> None:
    """The options that every investigation takes."""
    model(parser)
    sources(parser)
    add = parser.section("what is looked at").add_argument
    add("--baseline", metavar="FILE", help="a recording from a healthy time to compare with (see capture)")
    add("--runbooks", metavar="DIR", help="your own runbooks, which take precedence over the bundled ones")
    add = parser.section("bounds").add_argument
    add("--window", type=window, metavar="SECONDS", help="time between the two samples (2)")
    add(
        "--deadline",
        type=positive,
        metavar="SECONDS",
        help="time limit for everything (30 for the checks, 180 with a model)",
    )
    add("--max-commands", type=whole, metavar="N", help="most commands per incident; each further node adds 40 (400)")
    add("--max-pings", type=whole, metavar="N", help="most latency samples per incident (200)")
    hint = "record the incident, for replay, apply, rollback and to share with others"
    parser.section("the answer").add_argument("--record", metavar="FILE", help=hint)
    audit(parser)
    connection(parser)


def model(parser: Parser) -> None:
    """The options that say which model answers, and what it may cost."""
    add = parser.section("the model").add_argument
    add("--model", metavar="NAME", help="`offline` for the checks alone (default: $REDIAGNOSE_MODEL if there is a key)")
    add("--model-timeout", type=positive, metavar="SECONDS", help="time limit for one answer of the model (60)")
    add("--max-tokens", type=whole, metavar="N", help="most tokens in one answer of the model")
    efforts = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
    add("--reasoning-effort", choices=efforts, help="how much a reasoning model thinks (rediagnose.toml)")
    add("--max-turns", type=whole, metavar="N", help="most turns the model may take (12)")
    add("--max-total-tokens", type=whole, metavar="N", help="most tokens for the model over all turns (400000)")
    add("--price-in", type=price, metavar="PRICE", help="price per million tokens sent to the model, in any currency")
    add("--price-out", type=price, metavar="PRICE", help="price per million tokens that the model writes")
    add("--price-cached", type=price, metavar="PRICE", help="price per million of those sent that were cached")
    add("--max-cost", type=price, metavar="PRICE", help="the most that the model may cost at these prices")


def audit(parser: Parser) -> None:
    """Add the option that says where changes are logged."""
    hint = "where changes are recorded before they are made (~/.local/state/rediagnose/audit.jsonl)"
    parser.section("the answer").add_argument("--audit", metavar="FILE", help=hint)


def configure_change(parser: Parser) -> None:
    """Add all their arguments."""
    add = parser.add_argument
    add("file", metavar="FILE", help="a recording written by triage --record")
    add("step", metavar="STEP", help="the step's id in its plan, such as s1")
    server(parser)
    add("--confirm", metavar="ACTION", help="the exact action, to approve it without a terminal")
    add("--format", choices=("text", "json"), help="format of the outcome on stdout (text)")
    add("--window", type=window, metavar="SECONDS", help="time between the samples of each look, before and after (2)")
    hint = "time limit up to the question, and again for the change with the looks before and after (90)"
    add("--deadline", type=positive, metavar="SECONDS", help=hint)
    audit(parser)
    connection(parser)


def detail(parser: Parser) -> None:
    """The options that say how much of an answer is printed as text; every command has -v."""
    add = parser.add_argument
    add("-q", "--quiet", action="store_true", help="print one line: the cause, how sure, and where (-v, -vv: more)")
    add("--no-pager", dest="pager", action="store_false", help="print long output directly instead of through a pager")
