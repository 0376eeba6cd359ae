"""`rediagnose acl`: the least-privilege users for a given server, and what the current user can't read."""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from agent.cli.hard_stop import GRACE, hard_stop
from agent.cli.other_inputs import AclInputs
from agent.cli.program import ANSWERED, INTERRUPTED, NOTHING
from tools.clock import SystemClock
from tools.connection.allowed import Allowed
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import Target
from tools.errors import RediagnoseError, Unanswered, UsageError
from tools.redact import Pseudonyms
from tools.server.access_check import Check, tried
from tools.server.users import About, User, UserTier, about, user
from tools.text import one_line

SHORT = 8
"""The most causes named on one line."""
PURPOSE: dict[UserTier, str] = {
    "reader": "enough for every reading except those of keys",
    "key-reader": "what the reader may do, plus the sizes, types and names of keys: for big keys and streams",
    "writer": "what the reader may do, plus the changes that policy lets you approve",
}


async def acl(inputs: AclInputs) -> int:
    """Print the users, or with --check what the URL's own user can read. Nothing on the server is changed."""
    if inputs.aws or inputs.azure or inputs.google:
        return _of_provider(inputs)
    if inputs.kubernetes or inputs.namespace:
        return _of_kubernetes(inputs)
    target = _target(inputs)

    def give(ended: bool) -> int:
        why = "interrupted" if ended else f"{target.node} kept this program busy for {inputs.deadline:g} s"
        print(one_line(f"rediagnose acl: {why}; nothing was changed"), file=sys.stderr)
        return INTERRUPTED if ended else NOTHING

    with hard_stop(inputs.deadline + GRACE, give):
        try:
            async with asyncio.timeout(inputs.deadline):
                server, users, check = await _asked(inputs, target)
        except TimeoutError:
            raise RediagnoseError(f"{target.node} didn't finish answering within {inputs.deadline:g} s") from None
    if inputs.format == "json":
        print(json.dumps(_json(target, server, users, check), indent=2))
    else:
        print("\n".join(_checked(target, server, check) if check else _printed(target, server, users)))
    return ANSWERED


def _of_kubernetes(inputs: AclInputs) -> int:
    """Print what reading a cluster takes; no cluster is asked."""
    if not inputs.kubernetes:
        raise UsageError("--namespace only works together with --kubernetes; give it as well")
    if inputs.check or inputs.tier or inputs.what or inputs.url or inputs.target_name or inputs.format == "json":
        raise UsageError(
            "--kubernetes prints manifests for a cluster, of no server: leave out what names or checks one"
        )
    from tools.kubernetes.place import parse_namespace
    from tools.kubernetes.role import manifests

    print("# What triage --pod and --kubernetes read in a cluster, for kubectl apply -f -. It can't read Secrets,")
    print("# ConfigMaps or logs, and changes nothing. Without the part about nodes their conditions aren't known.")
    print("# The host script that --pod runs by kubectl exec needs more: create pods/exec, in this namespace.")
    print(manifests(parse_namespace(inputs.namespace or "default")))
    return ANSWERED


def _of_provider(inputs: AclInputs) -> int:
    """Print what asking a managed server's provider takes; nobody is asked."""
    given = inputs.kubernetes, inputs.namespace, inputs.check, inputs.tier, inputs.what, inputs.url, inputs.target_name
    if any(given) or inputs.format == "json" or [inputs.aws, inputs.azure, inputs.google].count(True) > 1:
        option = "--aws" if inputs.aws else "--azure" if inputs.azure else "--google"
        raise UsageError(f"{option} prints the rights of an identity, of no server: leave out everything else")
    # Each can be given to its provider's own tool as it is; JSON has no comments.
    if inputs.aws:
        from tools.providers.aws_reads import policy

        print(policy())
    elif inputs.azure:
        from tools.providers.azure_reads import role as azure_role

        print(azure_role())
    else:
        from tools.providers.google_reads import role as google_role

        print("# For gcloud iam roles create rediagnoseReader --project PROJECT --file FILE. It can't read the AUTH")
        print("# string of an instance, nor its data, and changes nothing.")
        print(google_role())
    return ANSWERED


async def _asked(inputs: AclInputs, target: Target) -> tuple[About, list[User], Check | None]:
    node = Node(target, SystemClock(), Budget(), Pseudonyms())
    try:
        server = await about(node)
        if not server.has_acls:
            raise RediagnoseError(
                f"{node.name} ({_version(server)}) has no ACL command: it's older than 6.0, or the command was renamed"
            )
        # A Sentinel has no keys, and no step changes one.
        tiers: tuple[UserTier, ...] = (
            ("reader",) if server.sentinel else (inputs.tier,) if inputs.tier else get_args(UserTier)
        )
        users = [user(server, tier, target.db) for tier in tiers]
        keys = not server.sentinel and inputs.tier in (None, "key-reader")
        check = await tried(node, server, keys=keys) if inputs.check else None
    except Unanswered as error:
        raise RediagnoseError(f"{node.name} can't be queried ({error.kind}): {error.detail}") from None
    finally:
        node.close()
    return server, users, check


def _target(inputs: AclInputs) -> Target:
    target = inputs.server(inputs.what)
    if target.watched:
        raise UsageError(
            f"URL {target.url}: each node has its own users; give the redis:// URL of one node or of a sentinel"
        )
    return target


def _version(server: About) -> str:
    named = one_line(f"{server.product} {server.version or 'of unknown version'}", 100)
    return f"{named}{', a sentinel' if server.sentinel else ''}"


def _printed(target: Target, server: About, users: Iterable[User]) -> Iterator[str]:
    yield f"# {target.url}: {_version(server)}. Chosen by {server.source}; nothing was changed."
    if server.sentinel:
        yield "# A Sentinel holds no keys, and no step of a plan changes one: the reader is its only user."
    for one in users:
        yield f"\n# {one.tier}: {PURPOSE[one.tier]}"
        yield one.command
        for rule, hole in one.holes.items():
            yield f"#   {rule} {hole}"
        for left in one.left_out:
            yield f"#   without {left.rule}: {left.why}"
    yield (
        "\n# Replace CHANGE-ME with a password. A user is lost at the next restart "
        "unless ACL SAVE or the config file keeps it."
    )


def _checked(target: Target, server: About, check: Check) -> Iterator[str]:
    whom = f"as user {one_line(check.user, 100)}" if check.user else "(ACL WHOAMI is denied)"
    of = check.answered + len(check.denied)
    yield f"{target.url}: {_version(server)}, checked {whom}: {check.answered} of {of} reading commands are allowed."
    for row in sorted(check.denied, key=lambda row: -len(row.causes)):
        if row.causes:
            more = f" and {len(row.causes) - SHORT} more" if row.causes[SHORT:] else ""
            yield f"  denied  {_named([row]):<20} hides {', '.join(row.causes[:SHORT])}{more}"
    if harmless := [row for row in check.denied if not row.causes]:
        yield f"  denied, but hiding no cause: {_named(harmless)}"
    if check.denied:
        yield f"rediagnose acl {target.url} prints users that are allowed to."
    if check.absent:
        yield f"Not on this server: {_named(check.absent)}"


def _named(rows: Iterable[Allowed]) -> str:
    return ", ".join(" ".join(row.words) for row in rows)


def _json(target: Target, server: About, users: Iterable[User], check: Check | None) -> dict[str, Any]:
    return {
        "schema": 1,
        "target": {
            "url": target.url, "server": server.product, "version": server.version, "sentinel": server.sentinel,
        },
        "source": server.source,
        "users": [
            {"tier": one.tier, "name": one.name, "command": one.command, "rules": list(one.rules),
             "left_out": [left.model_dump() for left in one.left_out], "holes": one.holes}
            for one in users
        ],
        "check": check and {
            "user": check.user, "answered": check.answered, "denied": [_denied_row(row) for row in check.denied],
            "absent": [row.name for row in check.absent],
            "hides": sorted({cause for row in check.denied for cause in row.causes}),
        },
    }  # fmt: skip


def _denied_row(row: Allowed) -> dict[str, Any]:
    return {"command": row.name, "tier": row.tier, "tools": list(row.tools), "hides": list(row.causes)}
