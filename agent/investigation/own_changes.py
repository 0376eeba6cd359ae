"""What this program itself changed at the nodes, as its audit log has it: a later look would take it for somebody's."""

from collections.abc import Collection, Iterable, Sequence

from agent.checks.own_changes import TOOL
from tools.gate.ledger import Entry
from tools.gate.policy import canonical_name
from tools.records import Reading, Values
from tools.redact import PLAIN
from tools.toolbox import Toolbox

MOST = 8
"""The newest changes that are noted, one for each parameter of a node."""


def note_own_changes(
    toolbox: Toolbox, nodes: Collection[str], entries: Iterable[Entry], recorded: Sequence[Reading]
) -> None:
    """Note them as a reading of no node; `recorded` is what a recording has in place of the log."""
    if values := next((one.values for one in recorded if one.values), None) or _values(nodes, entries):
        toolbox.note(TOOL, values)


def _values(nodes: Collection[str], entries: Iterable[Entry]) -> Values:
    newest: dict[tuple[str, str], Entry] = {}
    for one in entries:
        if one.event in ("applied", "rolled-back") and one.node in nodes and one.args[:2] == ("CONFIG", "SET"):
            key = one.node, canonical_name(one.args[2])
            newest.pop(key, None)
            newest[key] = one
    values: Values = {}
    for number, one in enumerate(list(newest.values())[::-1][:MOST], 1):
        values |= {
            f"c{number}.node": one.node, f"c{number}.parameter": one.args[2], f"c{number}.value": one.args[3],
            f"c{number}.before": one.before, f"c{number}.at": one.time, f"c{number}.undo": one.event == "rolled-back",
            f"c{number}.by": one.user if PLAIN.fullmatch(one.user) else None,
        }  # fmt: skip
    return values
