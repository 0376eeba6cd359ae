"""`make attack`: every kind of attack, what must hold, and how many of the tries it held in."""

import argparse
import asyncio
import importlib
import pkgutil
import random
import time
from typing import cast

import evals.attacks
from evals.attacks.attempt import Attack

SEED, TRIES = 1, 300


def kinds() -> dict[str, Attack]:
    """The attacks by name: each module of this package that says what must hold."""
    names = [one.name for one in pkgutil.iter_modules(evals.attacks.__path__) if not one.name.startswith("_")]
    modules = {name: importlib.import_module(f"evals.attacks.{name}") for name in names}
    return {name: cast(Attack, module) for name, module in modules.items() if hasattr(module, "HOLDS")}


async def run(name: str, attack: Attack, tries: int, seed: int) -> int:
    """Print the tries of one kind, and return how many of them didn't hold."""
    made = broken = 0
    began = time.monotonic()
    async for attempt in attack.attempts(tries, random.Random(seed)):
        made += 1
        if not attempt.held:
            broken += 1
            print(f"  BROKEN {name}: {attempt.name}: {attempt.what}", flush=True)
    seconds = time.monotonic() - began
    print(f"{name:<24} {made:>6} tries {made - broken:>6} held {seconds:>7.1f} s  {attack.HOLDS}", flush=True)
    return broken + (not made)


def main() -> int:
    """Run them; 1 where one of them didn't hold or made no try."""
    found = kinds()
    parser = argparse.ArgumentParser(prog="python -m evals.attacks", description=__doc__)
    parser.add_argument("kinds", nargs="*", help=f"all by default: {', '.join(found)}")
    parser.add_argument("--tries", type=int, default=TRIES, help="at most, of each kind; %(default)s by default")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    if unknown := set(options.kinds) - found.keys():
        parser.error(f"no such kind: {', '.join(sorted(unknown))}; available are {', '.join(found)}")
    broken = 0
    for name in options.kinds or found:
        broken += asyncio.run(run(name, found[name], options.tries, options.seed))
    print("all held" if not broken else f"{broken} did not hold")
    return int(bool(broken))


if __name__ == "__main__":
    raise SystemExit(main())
