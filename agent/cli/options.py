"""The options of `rediagnose acl`, and those that say how to be let in; light, so that --help is quick."""

import argparse


def configure_acl(parser: argparse.ArgumentParser) -> None:
    """Add all its arguments."""
    add = parser.add_argument
    add("url", nargs="?", metavar="URL", help="of one node, a data node or a sentinel; else $REDIS_URL")
    add("--check", action="store_true", help="try what the URL's user can read, and which causes the rest hides")
    add("--tier", choices=("reader", "key-reader", "writer"), help="one user only (all)")
    add("--format", choices=("text", "json"), default="text", help="of the answer on stdout (text)")
    connection(parser)


def connection(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to be let in."""
    add = parser.add_argument
    add("--password-file", metavar="FILE", help="its first line is the password")
    add("--cacert", metavar="FILE", help="authorities to trust (rediss://)")
    add("--cert", metavar="FILE", help="client certificate")
    add("--key", metavar="FILE", help="client key")
    add("--insecure", action="store_true", help="don't verify the server's certificate")
