"""What is kept of one server's replies: some forty figures, slow entries, stalls, groups of clients and settings.

Secrets are removed as from recordings; names and keys stay, for whoever may read the file.
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tools.connection.protocol import Reply, ServerError
from tools.past.figures import FIGURES, STARTED
from tools.past.kept import CUT, LISTED
from tools.past.stored import Happened
from tools.records import Scalar
from tools.redact import Pseudonyms, hide_parameters
from tools.server.client_groups import name_pattern
from tools.server.client_list import Client
from tools.server.command_keys import first_key
from tools.server.slowlog import is_own, parse_entry

MOST_COMMANDS, MOST_ERRORS, MOST_DATABASES, MOST_GROUPS = 64, 16, 16, 12
LONGEST_KEY, LONGEST_NAME, LONGEST_VALUE = 200, 64, 512
"""Characters of a key, of a name and of a parameter's value that are kept."""
_ERROR = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")
_LAG = re.compile(r"slave[0-9]{1,9}\.lag")
_DATABASE = re.compile(r"db[0-9]{1,5}")


def figures_of(flat: Mapping[str, Scalar], at: float, slowlog: Sequence[Any] | None) -> dict[str, float]:
    """The figures of INFO that can be compared later, by the names under which they're looked up."""
    found: dict[str, float] = {"redis_up": 1.0}
    for figure in FIGURES:
        name = figure.field.removesuffix(".rate")
        value = flat.get(name)
        if figure.words and isinstance(value, str):
            found[name] = float(value == figure.words[1])
        elif isinstance(value, int | float):
            found[name] = float(value)
    lags = [value for name, value in flat.items() if _LAG.fullmatch(name) and isinstance(value, int | float)]
    if lags:
        found["slave_lag"] = float(max(lags))
    if isinstance(uptime := flat.get("uptime_in_seconds"), int | float):
        found[STARTED.field] = at - uptime
    if slowlog and isinstance(slowlog[0], list) and slowlog[0] and isinstance(slowlog[0][0], int):
        found["slowlog_last_id"] = float(slowlog[0][0])
    return found | _by_label(flat)


def _by_label(flat: Mapping[str, Scalar]) -> dict[str, float]:
    found: dict[str, float] = {}
    usec = {name[8:-5]: value for name, value in flat.items() if name.startswith("cmdstat_") and name.endswith(".usec")}
    spent = {name: float(value) for name, value in usec.items() if isinstance(value, int | float)}
    for name in sorted(spent, key=lambda one: -spent[one])[:MOST_COMMANDS]:
        found[f"cmd:{name}:usec"] = spent[name]
        if isinstance(calls := flat.get(f"cmdstat_{name}.calls"), int | float):
            found[f"cmd:{name}:calls"] = float(calls)
    counts = {name[10:-6]: value for name, value in flat.items() if name.startswith("errorstat_")}
    errors = {name: float(value) for name, value in counts.items() if isinstance(value, int | float)}
    # A script chooses an error's word; one that isn't plain would have another handle each time.
    for name in sorted(filter(_ERROR.fullmatch, errors), key=lambda one: -errors[one])[:MOST_ERRORS]:
        found[f"err:{name}:count"] = errors[name]
    sizes = {name[:-5]: value for name, value in flat.items() if _DATABASE.fullmatch(name.partition(".")[0])
             and name.endswith(".keys") and isinstance(value, int)}  # fmt: skip
    for name in sorted(sizes, key=lambda one: -sizes[one])[:MOST_DATABASES]:
        found[f"db:{name}:keys"] = float(sizes[name])
        if isinstance(expires := flat.get(f"{name}.expires"), int):
            found[f"db:{name}:expires"] = float(expires)
    if len(spent) > MOST_COMMANDS or len(errors) > MOST_ERRORS:
        found[CUT] = 1.0
    return found


def groups_of(seen: Sequence[Client] | None, connected: int, pseudonyms: Pseudonyms) -> dict[str, float]:
    """How many clients there are by name pattern, or by network for those without a name; of a sample, scaled up.

    Nothing if they weren't listed.
    """
    if seen is None:
        return {}
    scale = max(1.0, connected / len(seen)) if seen else 1.0
    counted = Counter(_group(one, pseudonyms) for one in seen)
    ranked = sorted(counted, key=lambda group: (-counted[group], group))[:MOST_GROUPS]
    found = {f"client:{group}:count": float(round(counted[group] * scale)) for group in ranked}
    return found | ({LISTED: 1.0} if len(ranked) == len(counted) else {})


def _group(client: Client, pseudonyms: Pseudonyms) -> str:
    if client.name:
        return name_pattern(pseudonyms.hide(client.name)).replace(":", ".")[:LONGEST_NAME]
    try:
        there = ipaddress.ip_address(client.host.strip("[]"))
    except ValueError:
        return "unix"
    length = 24 if there.version == 4 else 64
    return f"{ipaddress.ip_network((there, length), strict=False)}".replace(":", ".")


def slow_entries(rows: Sequence[Any], pseudonyms: Pseudonyms, run: str) -> list[Happened]:
    """The entries of SLOWLOG, without the arguments; this program's own aren't among them."""
    found = []
    for row in rows:
        if is_own(row) or not isinstance(row, list) or (entry := parse_entry(row)) is None:
            continue
        body: dict[str, Scalar | list[str]] = {
            "command": entry.words[0][:LONGEST_NAME].upper(), "args": entry.args, "usec": entry.cost,
            "client": entry.address.rpartition(":")[0][:LONGEST_NAME],
            "name": pseudonyms.hide(entry.name)[:LONGEST_NAME],
        }  # fmt: skip
        if key := first_key(entry.words):
            body["key"] = pseudonyms.hide(key)[:LONGEST_KEY]
        # The numbers begin anew where the server does.
        found.append(Happened(kind="slow", key=f"{run[:8]}:{row[0]}:{entry.at}", at=entry.at, body=body))
    return found


def stalls(latest: Reply, histories: Mapping[str, Reply]) -> list[Happened]:
    """The spikes of LATENCY LATEST, and of the histories that were read."""
    spikes: dict[tuple[str, int], int] = {}
    for row in latest if isinstance(latest, list) else ():
        spikes[str(row[0]), int(row[1])] = int(row[2])
    for event, rows in histories.items():
        for at, took, *_ in rows if isinstance(rows, list) else ():
            spikes[event, int(at)] = int(took)
    named = [(event[:LONGEST_NAME], at, took) for (event, at), took in spikes.items()]
    return [
        Happened(kind="stall", key=f"{event}:{at}", at=at, body={"event": event, "ms": took})
        for event, at, took in named
    ]


def settings_of(reply: Reply, pseudonyms: Pseudonyms) -> dict[str, str] | None:
    """All parameters, secret ones hidden; null if they were refused."""
    if isinstance(reply, ServerError) or not isinstance(reply, list) or not reply:
        return None
    pairs = {str(name).lower(): str(value) for name, value in zip(reply[::2], reply[1::2], strict=False)}
    return {
        name[:LONGEST_NAME]: pseudonyms.hide(value)[:LONGEST_VALUE] for name, value in hide_parameters(pairs).items()
    }
