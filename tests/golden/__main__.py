"""`make golden`: write the golden files anew, from what the checks answer now; read the diff before it's committed."""

import os
from concurrent.futures import ProcessPoolExecutor

from evals.scoring.scenario import BUNDLED, Scenario, load
from tests.golden.entries import FOLDER, answer, entry, golden_file


def answered_entry(scenario: Scenario) -> str:
    """An incident's entry: a function of a module, so that other processes find it."""
    return entry(scenario, answer(scenario))


def main() -> None:
    """Write one file for each family, its incidents in the index's order."""
    scenarios = load(BUNDLED)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(scenarios, pool.map(answered_entry, scenarios, chunksize=8), strict=True))
    for path in FOLDER.glob("*.txt"):
        path.unlink()
    for family in sorted({scenario.family for scenario in scenarios}):
        texts = [text for scenario, text in found.items() if scenario.family == family]
        golden_file(family).write_text("".join(texts), encoding="utf-8")


if __name__ == "__main__":
    main()
