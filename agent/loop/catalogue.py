"""The causes that a diagnosis may name, as shown to the model."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from agent.answer.taxonomy import RootCause
from agent.loop import shape
from tools.records import Reading

UNREACHED = ("process-down", "process-frozen", "firewall-drop", "protected-mode-denied", "loading-dataset",
             "start-failed", "aof-corrupt-start")  # fmt: skip
"""A node that accepts connections and answers at once has none of these."""
SENTINELS = ("sentinel-noquorum", "sentinel-no-good-replica", "slowness-failover")
REPLICAS = ("replica-link-down", "masterauth-mismatch", "backlog-too-small", "replica-output-loop", "sync-failed",
            "failover-stuck", "replica-lag", "unexpected-replica", "split-brain")  # fmt: skip
"""Causes that need a replica, or a primary that has one."""


AOF = ("aof-disk-full", "fsync-always-slow", "fsync-everysec-slow", "aof-rewrite-failing", "aof-corrupt-start")


def catalogue(
    causes: Iterable[RootCause], readings: Sequence[Reading] = (), ruled_out: Collection[str] = (),
    found: Collection[str] = (),
) -> str:  # fmt: skip
    """The causes with their decisive evidence, one line each; unlikely ones only by id.

    Unlikely are causes that the checks ruled out by measurement and found nowhere, and those of things that aren't
    there.
    """
    listed = list(causes)
    unlikely = {*ruled_out, *_absent(listed, readings)} - {*found}
    lines = [f"{cause.id}: {cause.sign}" for cause in listed if cause.id not in unlikely]
    ids = ", ".join(cause.id for cause in listed if cause.id in unlikely)
    return "\n".join([*lines, *([f"Unlikely given these readings: {ids}"] if ids else [])])


def _absent(causes: Iterable[RootCause], readings: Sequence[Reading]) -> Iterator[str]:
    """Causes of things that a deployment doesn't have."""
    if shape.all_prompt(readings):
        yield from UNREACHED
    if shape.no_cluster(readings):
        yield from (cause.id for cause in causes if cause.family == "cluster")
    if shape.no_sentinel(readings):
        yield from SENTINELS
    if shape.alone(readings):
        yield from REPLICAS
    if readings and not any(one.tool == "provider" and one.values for one in readings):
        yield from (cause.id for cause in causes if cause.family == "managed services")
    if shape.no_aof(readings):
        yield from AOF
