"""The options of `rediagnose mcp`; light, so that --help is quick."""

from agent.cli.options import model
from agent.cli.parsing import Parser
from agent.cli.serve_options import each_investigation


def configure_mcp(parser: Parser) -> None:
    """Add all its arguments."""
    section = parser.section("what is looked at")
    hint = "let the assistant name servers by URL or address, not only the targets of rediagnose.toml"
    section.add_argument("--allow-urls", action="store_true", help=hint)
    section.add_argument(
        "--runbooks", metavar="DIR", help="your own runbooks, which take precedence over the bundled ones"
    )
    model(parser)
    each_investigation(parser)
