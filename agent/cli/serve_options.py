"""The options of `rediagnose serve`, `worker` and `incidents`; light, so that --help is quick."""

from agent.cli.argument_types import positive, whole, window
from agent.cli.options import audit, connection, model
from agent.cli.parsing import Parser


def configure_serve(parser: Parser) -> None:
    """Add all its arguments."""
    add = parser.section("where it listens").add_argument
    add("--listen", metavar="HOST:PORT", help="the address (127.0.0.1:8379; port 0 for a free one)")
    hint = "let incidents name servers by URL, not only the targets of rediagnose.toml (allowed on loopback)"
    add("--urls", choices=("allowed", "refused"), help=hint)
    configure_worker(parser)


def configure_worker(parser: Parser) -> None:
    """Add all its arguments."""
    database(parser)
    add = parser.section("the work").add_argument
    add("--jobs", type=whole, metavar="N", help="investigations at the same time in this process (4)")
    add("--waiting", type=whole, metavar="N", help="incidents that may wait; further ones are refused (200)")
    add("--notify", action="append", metavar="WHERE", help="a webhook to notify: its URL, or its name in "
        "rediagnose.toml; may be repeated")  # fmt: skip
    add("--keep-days", type=positive, metavar="DAYS", help="delete incidents that nothing happened to for so long (90)")
    add("--keep-size", type=whole, metavar="MIB", help="most MiB of recordings; the oldest go first (4096)")
    hint = "after so long without a sign of life of another process, take on its work (30)"
    add("--lease", type=positive, metavar="SECONDS", help=hint)
    model(parser)
    parser.section("what is looked at").add_argument(
        "--runbooks", metavar="DIR", help="your own runbooks, which take precedence over the bundled ones"
    )
    each_investigation(parser)


def each_investigation(parser: Parser) -> None:
    """Add what bounds every investigation of a process that makes many, and how it connects."""
    add = parser.section("bounds").add_argument
    add("--window", type=window, metavar="SECONDS", help="time between the two samples (2)")
    hint = "time limit for an investigation (30 for the checks, 180 with a model)"
    add("--deadline", type=positive, metavar="SECONDS", help=hint)
    add("--max-commands", type=whole, metavar="N", help="most commands per investigation (400)")
    audit(parser)
    connection(parser)


def database(parser: Parser) -> None:
    """Add the option that names the database."""
    hint = "postgresql://USER@HOST/NAME, or sqlite:////PATH (a file in ~/.local/state/rediagnose/service)"
    parser.section("where incidents are kept").add_argument("--database", metavar="URL", help=hint)


def configure_incidents(parser: Parser) -> None:
    """Add all its arguments."""
    parser.add_argument("verb", choices=("list", "show", "export"))
    parser.add_argument("id", nargs="?", metavar="ID", help="an incident's id (show, export)")
    add = parser.section("which incidents").add_argument
    ways = parser.section("which incidents").add_mutually_exclusive_group()
    ways.add_argument("--open", dest="open", action="store_true", help="only open ones")
    ways.add_argument("--closed", dest="open", action="store_false", help="only closed ones")
    add("-t", "--target", metavar="NAME", help="of this target")
    add("--cause", metavar="ID", help="with this cause")
    add("--text", metavar="WORDS", help="with these words in title, symptom, target or summary")
    add("--limit", type=whole, metavar="N", help="at most so many, newest first (50)")
    add = parser.section("the answer").add_argument
    add("--format", choices=("text", "json", "markdown", "html"), help="format on stdout (text)")
    hint = "export: a new .tar.gz (ID.tar.gz), or a folder of scenarios for `eval` to add it to"
    add("-o", "--output", metavar="FILE|DIR", help=hint)
    database(parser)
