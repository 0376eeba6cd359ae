"""As many recorded incidents as wanted, to measure the evaluation's scale: `python -m evals.scoring.synthetic DIR N`.

Each is a bundled one with other ids, of the scenario as of the servers' runs. They say nothing new about any arm.
"""

import argparse
import gzip
import random
import re
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

from agent.cli.argument_types import whole
from evals.scoring.scenario import BUNDLED, INDEX, Index, Scenario, load

RUN_ID = re.compile(r"\b[0-9a-f]{40}\b")


def varied(text: str, number: int) -> str:
    """A recording's text with other run ids, the same one where it was the same."""
    rng, ids = random.Random(number), dict[str, str]()

    def other(match: re.Match[str]) -> str:
        # A replica that has no primary names one of zeros.
        zeros = not match[0].strip("0")
        return ids.setdefault(match[0], match[0] if zeros else f"{rng.getrandbits(160):040x}")

    return RUN_ID.sub(other, text)


def made(folder: Path, scenarios: Sequence[Scenario], count: int) -> Iterator[Scenario]:
    """So many scenarios, each with its recording in the folder."""
    for number, one in enumerate(islice(cycle(scenarios), count)):
        id = f"n{number:06}"
        text = gzip.decompress((BUNDLED / one.file).read_bytes()).decode()
        (folder / f"{id}.jsonl.gz").write_bytes(gzip.compress(varied(text, number).encode(), 1))
        yield one.model_copy(update={
            "id": id, "file": f"{id}.jsonl.gz", "seed": number, "twin": None, "ticket": f"{one.ticket} INC-{number}",
        })  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Write them."""
    parser = argparse.ArgumentParser(prog="python -m evals.scoring.synthetic", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new folder")
    parser.add_argument("count", type=whole, metavar="N")
    given = parser.parse_args(argv)
    given.folder.mkdir(parents=True)
    index = Index(scenarios=tuple(made(given.folder, load(BUNDLED), given.count)))
    (given.folder / INDEX).write_text(index.model_dump_json(by_alias=True), encoding="utf-8")


if __name__ == "__main__":
    main()
