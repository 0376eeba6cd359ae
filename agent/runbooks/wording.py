"""What a text for engineers on call must not contain: field names of readings, and blanks to be filled in."""

from tools.patterns import deferred

_FIELD = deferred(
    r"(?<![\w.$/:-])(?:"
    r"[\w|+-]+\.(?:delta|rate|count|age|newest_age|max_usec|usec_per_call|before|failed|file|running)\b"
    r"|(?:o|g|e|n|s|r|k|p|l|m|c|hot|down|open|peer|slot|heard|last|migration|replica|changed|db)[0-9]+\.[a-z_]\w*"
    r"|[a-z][\w-]*_(?:share|bytes|ms|max|min|sum|writable|gone|soft|hard|eta_seconds)\b(?!:)"
    r"|(?:slots|nodes|cgroup|dir|smaps|nofile|omem|qbuf|listens|ping|errorstat|output|config|log)[_.][a-z]\w*"
    r"|(?:recv|send)_q\b|r[0-9]+ [a-z_]+=)"
)
"""Field names of readings, except INFO's own, which a person finds in INFO."""
_OURS = frozenset(
    (
        "loading_eta_seconds",
        "total_system_memory",
        "maxmemory_human",
        "config_file",
        "nodes.conf",
        "master_sync_read_bytes",
        "allocator_frag_bytes",
        "nf_conntrack_max",
    )
)
_BLANK = deferred(
    r"\b(?:HOST|PORT|PATH|FILE|NAME|KEY|GROUP|INDEX|USER|PID|ADDRESS|IP|QUERY)\b|…|\.\.\.|<[a-z_ -]+>|\$\w"
)
"""Blanks for something the reader would have to know."""


def unfilled(text: str) -> str | None:
    """The first field name or blank in a text for people; None if it's readable as it is."""
    found = next((found for found in _FIELD.finditer(text) if found[0] not in _OURS), None) or _BLANK.search(text)
    return found[0] if found else None
