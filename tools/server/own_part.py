"""How much of a counter's growth this program caused itself."""

import re

from tools.connection.budget import OwnTraffic


def own_part(field: str, first: OwnTraffic, last: OwnTraffic) -> int:
    """How much of a counter's growth between two samples was this program's."""
    if field == "total_commands_processed":
        return last.calls.total() - first.calls.total()
    if field == "total_connections_received":
        return last.connections - first.connections
    if field == "rejected_connections":
        return last.rejected - first.rejected
    if field == "total_error_replies":
        return last.errors.total() - first.errors.total()
    if field.startswith("errorstat_") and (match := re.fullmatch(r"errorstat_(\w+)\.count", field)):
        return last.errors[match[1]] - first.errors[match[1]]
    if match := re.fullmatch(r"cmdstat_([\w|]+)\.(calls|rejected_calls|failed_calls)", field):
        name = match[1]
        # It's unknown here which of the two a refusal was: in either case it was this program's.
        before, now = (first.calls, last.calls) if match[2] == "calls" else (first.refused, last.refused)
        return sum(now[call] - before[call] for call in now if call == name or call.startswith(f"{name}|"))
    return 0
