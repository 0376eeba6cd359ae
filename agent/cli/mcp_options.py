"""The options of `rediagnose mcp`; light, so that --help is quick."""

from agent.cli.argument_types import positive, whole, window
from agent.cli.options import audit, connection, model
from agent.cli.parsing import Parser


def configure_mcp(parser: Parser) -> None:
    """Add all its arguments."""
    section = parser.section("what is looked at")
    hint = "let the assistant name servers by URL or address, not only the targets of rediagnose.toml"
    section.add_argument("--allow-urls", action="store_true", help=hint)
    section.add_argument(
        "--runbooks", metavar="DIR", help="your own runbooks, which take precedence over the bundled ones"
    )
    model(parser)
    add = parser.section("bounds").add_argument
    add("--window", type=window, metavar="SECONDS", help="time between the two samples (2)")
    hint = "time limit for an investigation (30 for the checks, 180 with a model)"
    add("--deadline", type=positive, metavar="SECONDS", help=hint)
    add("--max-commands", type=whole, metavar="N", help="most commands per investigation (400)")
    audit(parser)
    connection(parser)
