"""The options that several commands share; light, so that --help is quick. Their defaults are in `inputs`."""

from collections.abc import Sequence

from agent.cli.argument_types import network, port, positive, price, whole, window
from agent.cli.parsing import Parser


def configure_acl(parser: Parser) -> None:
    """Add all its arguments."""
    add = parser.add_argument
    add("what", nargs="*", default=[], metavar="SERVER", help="one node, a data node or a sentinel; else $REDIS_URL")
    server(parser)
    add("--check", action="store_true", help="try what the URL's user can read, and which causes the rest hides")
    add("--tier", choices=("reader", "key-reader", "writer"), help="one user only (all)")
    add("--format", choices=("text", "json"), help="of the answer on stdout (text)")
    add("--deadline", type=positive, metavar="SECONDS", help="for all that the server is asked (60)")
    connection(parser)


def configure_doctor(parser: Parser) -> None:
    """Add all its arguments."""
    add = parser.add_argument
    add(
        "what",
        nargs="*",
        default=[],
        metavar="SERVER",
        help="by its URL, its address or its target's name; else $REDIS_URL",
    )
    server(parser)
    add("--format", choices=("text", "json"), help="of what is printed (text)")
    add("--deadline", type=positive, metavar="SECONDS", help="for the whole (90)")
    model(parser)
    sources(parser)
    parser.section("what is looked at").add_argument("--runbooks", metavar="DIR", help="your own runbooks")
    audit(parser)
    connection(parser)


def place(parser: Parser) -> None:
    """The positionals of an investigation, and what may stand in place of the first."""
    words = "the server by its URL, its address or its target's name; else $REDIS_URL; the other is the symptom"
    parser.add_argument("what", nargs="*", default=[], metavar="SERVER|SYMPTOM", help=words)
    server(parser)


def server(parser: Parser) -> None:
    """The options that name the server, in every command that talks to one."""
    add = parser.section("the server").add_argument
    add("--url", metavar="URL", help="of the server, or its host or host:port")
    add("-t", "--target", dest="target_name", metavar="NAME", help="of the server in rediagnose.toml")


def connection(parser: Parser) -> None:
    """Add the options that say how to be let in."""
    add = parser.section("being let in").add_argument
    add("--password-file", metavar="FILE", help="its first line is the password")
    add("--cacert", metavar="FILE", help="authorities to trust (rediss://)")
    add("--cert", metavar="FILE", help="client certificate")
    add("--key", metavar="FILE", help="client key")
    add("--insecure", action="store_true", help="don't verify the server's certificate")
    hint = "a network such as 10.1.0.0/16, in which nodes that the server names get its password too; may be repeated"
    add("--trust", action="append", type=network, metavar="CIDR", help=hint)


def sources(parser: Parser) -> None:
    """The options that say what is looked at besides the servers, and how far."""
    add = parser.section("what is looked at").add_argument
    add("--at", metavar="TIME", help="when it was reported, such as 14:05: what the history is compared around (now)")
    add(
        "--prometheus",
        metavar="URL",
        help="keeps redis_exporter's figures (rediagnose.toml, $REDIAGNOSE_PROMETHEUS)",
    )
    add("--host-facts", metavar="FILE", help="what `rediagnose host-script` printed on the server's machine")
    hint = "run `rediagnose host-script` there over your own ssh, which asks for nothing; it only reads"
    add("--ssh", metavar="[USER@]HOST", help=hint)
    add("--pod", metavar="NS/NAME", help="the same in a pod, by kubectl exec; NS/NAME/CONTAINER for one of several")
    add("--host-port", type=port, metavar="N", help="the server's port there, where a tunnel gives it another here")
    add("--server-log", metavar="FILE", help="the server's log, where it can't be found because the server is dead")
    add("--one-node", action="store_true", help="only the URL's node: none that it names is dialled or logged into")


def common(
    parser: Parser,
    forms: Sequence[str] = ("text", "json", "markdown", "html"),
    *,
    approves: bool = True,
) -> None:
    """The options of an investigation whose answer is printed; `forms` are those of it, its usual one first."""
    add = parser.section("the answer").add_argument
    add("--format", choices=forms, help=f"of the answer on stdout ({forms[0]})")
    add("--all-readings", action="store_true", help="of a large deployment's nodes that are well, too")
    hint = "exit with 0 where the server is well, 10 where a fault was found, 11 where it can't be told"
    add("--exit-code", action="store_true", help=hint)
    investigating(parser)
    hint = "INFO, SLOWLOG GET, CLIENT LIST, a log ... as copied, a folder or an archive of them, instead of a server"
    parser.section("what is looked at").add_argument("--paste", action="append", metavar="FILE|-", help=hint)
    add(
        "--notify",
        action="append",
        metavar="WHERE",
        help="a webhook: its URL, or its name in rediagnose.toml",
    )
    if approves:
        approving(parser)
        add("--reveal", action="store_true", help="print what stands behind the handles, such as client#1")
    add("--show-prompt", action="store_true", help="print exactly what would leave for the model; send nothing")


def approving(parser: Parser) -> None:
    """The option that says whether a person is asked."""
    ways = ("ask", "never")
    parser.section("the answer").add_argument(
        "--approve", choices=ways, help="ask about each change; `never` without a terminal"
    )


def investigating(parser: Parser) -> None:
    """The options that every investigation takes."""
    model(parser)
    sources(parser)
    add = parser.section("what is looked at").add_argument
    add("--baseline", metavar="FILE", help="a recording of a calm hour, to compare with (see capture)")
    add("--runbooks", metavar="DIR", help="your own runbooks; they come before the bundled ones")
    add = parser.section("bounds").add_argument
    add("--window", type=window, metavar="SECONDS", help="between the two samples (2)")
    add("--deadline", type=positive, metavar="SECONDS", help="for the whole (30 for the checks, 180 with a model)")
    add("--max-commands", type=whole, metavar="N", help="for the incident, and 40 for each further node (400)")
    add("--max-pings", type=whole, metavar="N", help="of latency samples, for the incident (200)")
    hint = "write the incident down, for replay, apply, rollback and others to look at"
    parser.section("the answer").add_argument("--record", metavar="FILE", help=hint)
    audit(parser)
    connection(parser)


def model(parser: Parser) -> None:
    """The options that say which model answers, and what it may cost."""
    add = parser.section("the model").add_argument
    add("--model", metavar="NAME", help="`offline` for the checks alone; default: $REDIAGNOSE_MODEL if there is a key")
    add("--model-timeout", type=positive, metavar="SECONDS", help="for one answer of the model (60)")
    add("--max-tokens", type=whole, metavar="N", help="most tokens of one answer of the model")
    add("--max-turns", type=whole, metavar="N", help="most turns of the model (12)")
    add("--max-total-tokens", type=whole, metavar="N", help="most tokens of the model, all turns (400000)")
    add("--price-in", type=price, metavar="PRICE", help="of a million tokens sent to the model, in any currency")
    add("--price-out", type=price, metavar="PRICE", help="of a million tokens that the model writes")
    add("--max-cost", type=price, metavar="PRICE", help="most that the model may cost, by these prices")


def audit(parser: Parser) -> None:
    """Add the option that says where changes are written down."""
    hint = "where changes are written down before they're made (~/.local/state/rediagnose/audit.jsonl)"
    parser.section("the answer").add_argument("--audit", metavar="FILE", help=hint)


def configure_change(parser: Parser) -> None:
    """Add all their arguments."""
    add = parser.add_argument
    add("file", metavar="FILE", help="a recording, as triage --record wrote it")
    add("step", metavar="STEP", help="the step's id in its plan, such as s1")
    server(parser)
    add("--confirm", metavar="ACTION", help="the exact action, as the yes of somebody who has no terminal")
    add("--format", choices=("text", "json"), help="of the outcome on stdout (text)")
    add("--window", type=window, metavar="SECONDS", help="of each look before and after (2)")
    hint = "until the question, and again for the change with the looks before and after it (90)"
    add("--deadline", type=positive, metavar="SECONDS", help=hint)
    audit(parser)
    connection(parser)


def detail(parser: Parser) -> None:
    """The options that say how much of an answer is printed as text; -v every command has."""
    add = parser.add_argument
    add("-q", "--quiet", action="store_true", help="one line: what it is, how sure, and where (-v, -vv: more)")
    add("--no-pager", dest="pager", action="store_false", help="print what is longer than the terminal at once")
