"""Many targets in one warm process, by the call that embedding programs make. Run as a program of its own.

`python -m evals.bench.warm SECONDS COUNT URL...` looks at COUNT targets, the URLs again and again, at most `AT_ONCE` at
the same time, begins none after SECONDS, and prints what it came to as JSON.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence

from agent.investigation.embedded import investigate

AT_ONCE = 64


async def look(urls: Sequence[str], count: int, seconds: float) -> dict[str, object]:
    """Look at so many targets; what was answered how often, and what it cost after a first one that warmed it up."""
    await investigate(urls[0], "requests time out")
    cpu, began = time.process_time(), time.monotonic()
    said: Counter[str] = Counter()
    left = iter(range(count))

    async def work() -> None:
        for number in left:
            if time.monotonic() - began > seconds:
                return
            answer = await investigate(urls[number % len(urls)], "requests time out")
            said[answer.causes[0].id if answer.causes else answer.outcome] += 1

    await asyncio.gather(*(work() for _ in range(min(AT_ONCE, count))))
    return {"cpu": time.process_time() - cpu, "wall": time.monotonic() - began, "said": dict(said.most_common())}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(look(sys.argv[3:], int(sys.argv[2]), float(sys.argv[1])))))
