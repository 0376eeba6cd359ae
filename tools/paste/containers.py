"""What `docker inspect` says of a container's state, whole or cut out of it."""

from tools.paste.found import Found, hidden
from tools.paste.lines import Lines
from tools.paste.prompts import Prompt
from tools.patterns import deferred
from tools.records import Values

_FIELD = deferred(
    r'"(?P<name>Status|Running|OOMKilled|ExitCode)"\s{0,4}:\s{0,4}(?:"(?P<word>\w{1,20})"|(?P<bare>\w{1,10}))'
)
_MOST = 24
"""Lines of a state at most: newer versions add fields and the results of a health check."""
_NEEDED = ("OOMKilled", "ExitCode")


def container_state(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """A container's state, from the line that opens it or its first field up to when it ended."""
    if '"Status"' not in lines[at].text and '"State"' not in lines[at].text:
        return None
    end, said = at, dict[str, str]()
    while end < min(len(lines), at + _MOST) and not lines[end].fence:
        text = lines[end].text
        end += 1
        for found in _FIELD.finditer(text):
            said.setdefault(found["name"], found["word"] or found["bare"])
        if '"FinishedAt"' in text:
            break
    if any(name not in said for name in _NEEDED) or not said["ExitCode"].isdecimal():
        return None
    # A closing brace of its own belongs to it.
    while end < len(lines) and lines[end].text.strip() in ("}", "},"):
        end += 1
    return Found(end, "container", hidden(lines.texts(at, end)), values=_values(said))


def _values(said: dict[str, str]) -> Values:
    """Under the names that Kubernetes has for how a container ended, be it the last one or this one."""
    code = int(said["ExitCode"][:9])
    reason = "OOMKilled" if said["OOMKilled"] == "true" else "Error" if code else "Completed"
    running = said.get("Running") == "true"
    ended = not running or code > 0 or said["OOMKilled"] == "true"
    return {
        "state": "Running" if running else "Terminated",
        **({"last_state.reason": reason, "last_state.exit_code": code} if ended else {}),
    }
