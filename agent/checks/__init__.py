"""The checks: pure functions from readings and thresholds to findings."""

from agent.checks import access, clients, connectivity, cpu, network, outside
from agent.checks.form import Check, Found, Limits

CHECKS: tuple[Check, ...] = (
    *connectivity.CHECKS, *clients.CHECKS, *cpu.CHECKS, *network.CHECKS, *access.CHECKS,
    *outside.CHECKS,
)  # fmt: skip

__all__ = ["CHECKS", "Check", "Found", "Limits"]
