"""What the options of `rediagnose mcp` mean, and what the service's assistants work with."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from agent.answer.diagnosis import OFFLINE, ModelUse
from agent.cli.check_inputs import CheckInputs
from agent.cli.inputs import InvestigationInputs
from agent.cli.place import ADDRESS, ConnectionInputs
from agent.fleet.look import Member
from agent.investigation.pipeline import Setup
from agent.investigation.sources import DEADLINE_CHECKS
from agent.mcp.means import Means
from tools.clock import SystemClock
from tools.connection.target import Target
from tools.errors import UsageError
from tools.redact import hide_secrets
from tools.settings.file import all_settings, find_target, target_named, target_names
from tools.text import did_you_mean, one_line

SHOWN_MOST = 20
"""Names of targets in an error's line."""


class McpInputs(InvestigationInputs):
    """`rediagnose mcp`."""

    model: str | None = OFFLINE
    """The checks alone, unless a model is named: who asks here is a model itself."""
    allow_urls: bool = False
    """Whether servers may be named by their URLs or addresses."""


def means_of(inputs: InvestigationInputs, *, urls: bool) -> Means:
    """What incidents are opened with. Raises `UsageError` for options that can't be used."""
    clock = SystemClock()
    options = inputs.options(ModelUse(name=OFFLINE)).model_copy(update={"deadline": DEADLINE_CHECKS})

    def setup(target: Target, symptom: str, record: Path | None) -> Setup:
        found = inputs.setup(target, symptom, clock)
        return replace(found, sources=replace(found.sources, record=record))

    return Means(
        named=partial(_named, urls=urls), target=inputs.target, approves=_approves, targets=_targets, setup=setup,
        members=partial(_members, inputs), library=inputs.library, options=options, clock=clock, audit=inputs.audit,
    )  # fmt: skip


def _targets() -> Sequence[str]:
    return target_names(all_settings())


def _named(given: str | None, *, urls: bool) -> str:
    if given is None:
        known = _targets()
        if len(known) == 1:
            return known[0]
        raise UsageError(f"name a target: {_known(known)}")
    if (found := find_target(given)) is not None and found.name:
        return found.name
    if "://" in given or (ADDRESS.fullmatch(given) and ":" in given):
        if not urls:
            raise UsageError(f"servers aren't taken by URL here; name a target: {_known(_targets())}")
        return given
    shown = one_line(hide_secrets(given), 60)
    raise UsageError(f"{shown!r} isn't a target{did_you_mean(given, _targets())} ({_known(_targets())})")


def _known(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_MOST} more" if len(names) > SHOWN_MOST else ""
    return f"rediagnose.toml has {', '.join(names[:SHOWN_MOST]) or 'none'}{more}"


def _approves(name: str) -> bool:
    return "://" not in name and ":" not in name and target_named(name).approved_by_assistants


async def _members(inputs: ConnectionInputs, names: Sequence[str]) -> Sequence[Member]:
    login = {name: getattr(inputs, name) for name in ConnectionInputs.model_fields}
    return await CheckInputs(what=tuple(names), all=not names, **login).members()
