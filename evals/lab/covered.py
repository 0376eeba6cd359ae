"""What a folder of recorded incidents covers, as a page."""

from collections import Counter
from collections.abc import Sequence

from evals.scoring.scenario import Scenario

_HEAD = """# Recorded incidents

Each file is one incident of the fault lab as it was answered, host by host and command by command; `index.json` says
what was there and what was reported. They were made by

    rediagnose lab record evals/scenarios all --first-seed 2000

and, those in other surroundings, with another seed and `--world`, such as `--first-seed 3000 --world acl`; those that
last with `--first-seed 4000 --minutes 10`, and those that were watched before the page with `--past 22`. That keeps
what is there already. `rediagnose eval` scores over them; `known.toml` lists those that the checks miss.
"""


def page(scenarios: Sequence[Scenario]) -> str:
    """A table of the causes by server; twins that share a recording are counted apart."""
    kinds = sorted({one.kind for one in scenarios})
    rows: dict[str, Counter[str]] = {}
    for one in scenarios:
        row = rows.setdefault(one.cause if not one.attack else "(with misleading text)", Counter())
        row["again" if one.file != f"{one.id}.jsonl.gz" else one.kind] += 1
        row["double"] += bool(one.also)
        row["world"] += bool(one.worlds)
        row["long"] += bool(one.minutes)
        row["watched"] += bool(one.past)
    more = "with another cause", "in other surroundings", "for minutes", "with a history", "reported as its twin"
    head = ("what was there", *kinds, *more)
    lines = [_HEAD, f"| {' | '.join(head)} |", "|---|" + "--:|" * (len(head) - 1)]
    for cause, row in sorted(rows.items()):
        cells = [str(row[kind] or "") for kind in (*kinds, "double", "world", "long", "watched", "again")]
        lines.append(f"| {cause} | {' | '.join(cells)} |")
    files = len({one.file for one in scenarios})
    return "\n".join([*lines, "", f"{len(scenarios)} incidents from {files} recordings, {len(rows)} rows."]) + "\n"
