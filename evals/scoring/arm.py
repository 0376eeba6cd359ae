"""Arms: who answers."""

from collections.abc import Iterable, Mapping

from agent.answer.diagnosis import OFFLINE
from agent.model.selection import choose
from tools.errors import UsageError
from tools.records import Record

MODEL, BARE = "model", "-bare"
CONTROLS = ("constant", "ticket", "random")
"""The arms that look at nothing; every report has them."""


class Arm(Record):
    """One way to answer."""

    name: str
    model: str
    """`offline` for the checks alone."""
    bare: bool = False
    """Whether the model is given the tools alone: no digest, no findings, no runbooks."""


def arms(names: Iterable[str], environ: Mapping[str, str]) -> list[Arm]:
    """The arms of `--arm`: `offline`, a model's name, `model` for the environment's own, each model also as NAME-bare.

    Raises `UsageError`.
    """
    arms_by_name: dict[str, Arm] = {}
    for name in names:
        if name not in CONTROLS:
            arm = _arm(name, environ)
            arms_by_name[arm.name] = arm
    return list(arms_by_name.values())


def _arm(name: str, environ: Mapping[str, str]) -> Arm:
    base = name.removesuffix(BARE)
    use = choose(None if base == MODEL else base, environ)
    if base != OFFLINE and use.name == OFFLINE:
        raise UsageError(f"--arm {name}: {use.why}")
    bare = base != name
    if bare and use.name == OFFLINE:
        raise UsageError(f"--arm {name}: a bare model runs without the checks; name a model")
    return Arm(name=f"{use.name}{BARE if bare else ''}", model=use.name, bare=bare)
