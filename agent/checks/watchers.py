"""Whether anybody watches a primary, if only the address of a data node was given."""

import re
from collections.abc import Iterator

from agent.evidence.view import View
from tools.patterns import deferred

WORDS = deferred(r"\bsentinels?\b|\bfail(s|ed|ing)?[- ]?over|\bsurvive|\bHA\b|high(ly)?[- ]availab", re.IGNORECASE)
"""What people say who rely on something to replace the primary."""
HIDES = "that hides sentinel-noquorum, sentinel-no-good-replica"


def unheard(view: View) -> Iterator[str]:
    """What isn't known about the sentinels, since none was heard on the data node; empty if that doesn't matter."""
    heard, topology = view.text("topology", "sentinels"), view.text("topology", "topology")
    if view.is_sentinel or topology == "sentinel":
        return
    if heard == "announced":
        yield f"a sentinel announced itself on a data node but couldn't be queried from here; {HIDES}"
    elif heard == "silent":
        yield (
            "a sentinel is connected to the primary but didn't announce itself "
            f"within 2.5 s: query it directly; {HIDES}"
        )
    elif heard == "not-asked" and WORDS.search(view.symptom):
        yield f"this user can't see whether sentinels watch this server: give a sentinel's URL; {HIDES}"
    elif heard == "none" and WORDS.search(view.symptom):
        yield (
            "no sentinel is connected here: if sentinels should be watching this "
            "primary, they are down or watch another one"
        )
