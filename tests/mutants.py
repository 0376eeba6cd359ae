"""`make mutants`: which small changes of the gate and the checks does no test of the fast tier notice?

mutmut makes the changes and runs the tests, see `tool.mutmut` in pyproject.toml. It goes on where it was ended.
"""

import subprocess
import sys
from collections import Counter

KILLED_AT_LEAST = 0.85
KILLED = {"killed", "timeout", "segfault", "suspicious", "caught by type check"}
"""What shows that a test noticed."""
MISSED = {"survived", "no tests"}


def main() -> int:
    """Run them, or the ones that arguments name; list the survivors and the share that was killed; 1 below the aim."""
    mutmut = [sys.executable, "-m", "mutmut"]
    subprocess.run([*mutmut, "run", *sys.argv[1:]], check=True)
    listed = subprocess.run([*mutmut, "results", "--all", "true"], check=True, capture_output=True, text=True).stdout
    statuses = dict(line.strip().rsplit(": ", 1) for line in listed.splitlines() if ": " in line)
    for name, status in sorted(statuses.items()):
        if status in MISSED:
            print(f"{status}: {name}")
    counts = Counter(statuses.values())
    killed = sum(counts[status] for status in KILLED)
    tried = killed + sum(counts[status] for status in MISSED)
    share = killed / tried if tried else 0.0
    print(f"killed: {killed} of {tried}, {share:.0%} (at least {KILLED_AT_LEAST:.0%}); no test reaches "
          f"{counts['no tests']}; `mutmut show NAME` prints a change")  # fmt: skip
    return 0 if share >= KILLED_AT_LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
