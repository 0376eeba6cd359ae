"""The options of `rediagnose check`; light, so that --help is quick. Their defaults are in `check_inputs`."""

from agent.cli.argument_types import positive, whole, window
from agent.cli.options import connection
from agent.cli.parsing import Parser


def configure_check(parser: Parser) -> None:
    """Add all its arguments."""
    parser.add_argument(
        "what", nargs="*", default=[], metavar="TARGET",
        help="names of rediagnose.toml, URLs or addresses (default: all of rediagnose.toml)",
    )  # fmt: skip
    add = parser.section("where the targets come from").add_argument
    add("--url", action="append", dest="urls", default=[], metavar="URL", help="another target, as in every command")
    add(
        "-t",
        "--target",
        action="append",
        dest="names",
        default=[],
        metavar="NAME",
        help="another target of rediagnose.toml",
    )
    add("--all", action="store_true", help="all targets of rediagnose.toml, in addition to any others")
    add("--inventory", metavar="FILE|-", help="a list: a URL or NAME=URL per line, or JSON; - reads standard input")
    hint = "a program that prints such a list; run without a shell"
    add("--inventory-command", metavar="CMD", help=hint)
    add("--prometheus", metavar="URL", help="every server whose redis_exporter this Prometheus scrapes")
    add("--kubernetes", metavar="SELECTOR", help="services with these labels, such as app=redis, by kubectl")
    add("-n", "--namespace", metavar="NS", help="look for services only in this namespace (all)")
    add = parser.section("the answer").add_argument
    forms = ("text", "json", "markdown", "html")
    add("--format", choices=forms, help="format of the table on stdout (text)")
    add("-q", "--quiet", action="store_true", help="omit healthy targets (-v, -vv: more about each)")
    hint = "what counts as a failure: incidents, or preventive findings too (incident)"
    add("--fail-on", choices=("incident", "preventive"), help=hint)
    hint = "exit with 0 if all are healthy, 10 if one is faulty, 11 if one is unknown (default: 0 or 1)"
    add("--exit-code", action="store_true", help=hint)
    add = parser.section("bounds").add_argument
    add("--jobs", type=whole, metavar="N", help="number of targets to examine at the same time (64)")
    add("--window", type=window, metavar="SECONDS", help="time between the two samples (2)")
    add("--deadline", type=positive, metavar="SECONDS", help="time limit for each target (30)")
    add("--total-deadline", type=positive, metavar="SECONDS", help="time limit for all targets together (300)")
    hint = "examine only each target's own node, and connect to none of the nodes it names"
    parser.section("bounds").add_argument("--one-node", action="store_true", help=hint)
    connection(parser)
