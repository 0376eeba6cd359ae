"""Arms: who answers, and what is kept from them."""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from agent.answer.diagnosis import OFFLINE
from agent.model.selection import choose
from tools.errors import UsageError
from tools.records import Record

MODEL, BARE = "model", "-bare"
CONTROLS = ("constant", "ticket", "random")
"""The arms that look at nothing; every report has them."""
Less = Literal[
    "without-checks", "without-runbooks", "one-sample", "without-host", "info-only", "ping-and-info",
    "ping-and-info-remotely", "pasted", "pasted-info",
]  # fmt: skip
"""What an arm does without: a part of this program, or a part of what can be seen."""
OFFLINE_ONLY: tuple[Less, ...] = ("without-checks", "without-runbooks", "one-sample")
"""What is taken away from the checks' conclusion; of a model NAME-bare has no checks and no runbooks."""


class Arm(Record):
    """One way to answer."""

    name: str
    model: str
    """`offline` for the checks alone."""
    bare: bool = False
    """Whether the model is given the tools alone: no digest, no findings, no runbooks."""
    less: Less | None = None
    """What it does without; null for nothing."""


def arms(names: Iterable[str], environ: Mapping[str, str]) -> list[Arm]:
    """The arms of `--arm`: `offline`, a model's name, `model` for the environment's own, each model also as NAME-bare,
    and each with less, such as offline-one-sample.

    Raises `UsageError`.
    """
    arms_by_name: dict[str, Arm] = {}
    for name in names:
        if name not in CONTROLS:
            arm = _arm(name, environ)
            arms_by_name[arm.name] = arm
    return list(arms_by_name.values())


def _arm(name: str, environ: Mapping[str, str]) -> Arm:
    less: Less | None = next((one for one in get_args(Less) if name.endswith(f"-{one}")), None)
    whole = name.removesuffix(f"-{less}") if less else name
    base = whole.removesuffix(BARE)
    if base.startswith(f"{OFFLINE}-"):
        raise UsageError(f"--arm {name}: {OFFLINE} can do without one of: {', '.join(get_args(Less))}")
    use = choose(None if base == MODEL else base, environ)
    if base != OFFLINE and use.name == OFFLINE:
        raise UsageError(f"--arm {name}: {use.why}")
    bare = base != whole
    if bare and use.name == OFFLINE:
        raise UsageError(f"--arm {name}: a bare model runs without the checks; name a model")
    if less in OFFLINE_ONLY and use.name != OFFLINE:
        raise UsageError(f"--arm {name}: only the checks can do without that; give offline-{less} or {base}{BARE}")
    shown = f"{use.name}{BARE if bare else ''}{f'-{less}' if less else ''}"
    return Arm(name=shown, model=use.name, bare=bare, less=less)
