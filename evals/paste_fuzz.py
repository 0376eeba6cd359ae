"""Pastes that were damaged in every way that people and machines damage text: `python -m evals.paste_fuzz`.

Prints how many there were, what failed, and the longest of them. What holds: no exception, two seconds for each.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.paste.recognise import recognise

SAMPLES = Path(__file__).with_name("paste_samples")
SEED, TRIES, SECONDS = 1, 10_000, 2.0
_HUGE = ("9" * 5000, "-" + "9" * 400, "1e999", "0" * 3000, "NaN", "18446744073709551616", "\u0663\u0664")
_DEEP = ("[", '{"a":', "1) ", "> ", "```\n", "(", '"', "1# ", "\\x", "redis-cli ")
_PREFIXES = (
    "> ",
    "> > ",
    "    ",
    "\t",
    "| ",
    "2026-01-31T02:05:07.1Z stdout F ",
    "[pod/redis-0/redis] ",
    "+ ",
    "\x1b[31m",
)
_STRANGE = "\x00\x1b\r\x85\u2028\u202e\ufeff\udc80\U0001f600\u0301\xa0"

Mutation = Callable[[list[str], random.Random], list[str]]


def samples() -> Mapping[str, str]:
    """The bundled pastes by name."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(SAMPLES.glob("*.txt"))}


def _cut(lines: list[str], chance: random.Random) -> list[str]:
    text = "\n".join(lines)
    begin = chance.randrange(len(text) + 1)
    return text[begin : begin + chance.randrange(len(text) + 1)].split("\n")


def _shuffled(lines: list[str], chance: random.Random) -> list[str]:
    at = chance.randrange(len(lines))
    part = lines[at : at + chance.randint(2, 20)]
    chance.shuffle(part)
    return lines[:at] + part + lines[at + len(part) :]


def _doubled(lines: list[str], chance: random.Random) -> list[str]:
    return [line for line in lines for _ in range(chance.choice((1, 1, 1, 2, 3)))]


def _thinned(lines: list[str], chance: random.Random) -> list[str]:
    return [line for line in lines if chance.random() > 0.15] or lines


def _flipped(lines: list[str], chance: random.Random) -> list[str]:
    letters = list("\n".join(lines)) or [" "]
    for _ in range(chance.randint(1, 30)):
        letters[chance.randrange(len(letters))] = chr(chance.randrange(32, 127))
    return "".join(letters).split("\n")


def _strange(lines: list[str], chance: random.Random) -> list[str]:
    letters = list("\n".join(lines))
    for _ in range(chance.randint(1, 30)):
        letters.insert(chance.randrange(len(letters) + 1), chance.choice(_STRANGE))
    return "".join(letters).split("\n")


def _fenced(lines: list[str], chance: random.Random) -> list[str]:
    for _ in range(chance.randint(1, 5)):
        lines = [*lines]
        lines.insert(
            chance.randrange(len(lines) + 1), chance.choice(("```", "```text", "~~~", "{code}", "<pre>", "> ```"))
        )
    return lines


def _huge(lines: list[str], chance: random.Random) -> list[str]:
    words = "\n".join(lines).split(" ")
    for _ in range(chance.randint(1, 5)):
        words[chance.randrange(len(words))] = chance.choice(_HUGE)
    return " ".join(words).split("\n")


def _deep(lines: list[str], chance: random.Random) -> list[str]:
    at = chance.randrange(len(lines))
    return [*lines[:at], chance.choice(_DEEP) * chance.choice((20, 2000, 20_000)) + lines[at], *lines[at + 1 :]]


def _prefixed(lines: list[str], chance: random.Random) -> list[str]:
    prefix = chance.choice(_PREFIXES)
    return [prefix + line for line in lines]


def _numbered(lines: list[str], chance: random.Random) -> list[str]:
    first, mark = chance.randrange(1000), chance.choice((": ", "\t", " | ", ") ", "  "))
    return [f"{number}{mark}{line}" for number, line in enumerate(lines, first)]


def _flat(lines: list[str], chance: random.Random) -> list[str]:
    return [" ".join(line.strip() for line in lines)] if chance.random() < 0.5 else [line.strip() for line in lines]


def _repeated(lines: list[str], chance: random.Random) -> list[str]:
    return lines * chance.choice((2, 10, 100))


def _ended(lines: list[str], chance: random.Random) -> list[str]:
    return [f"{line}\r" for line in lines]


def _elided(lines: list[str], chance: random.Random) -> list[str]:
    at = chance.randrange(len(lines))
    return [*lines[:at], "...", *lines[at + chance.randint(0, 10) :]]


MUTATIONS: tuple[Mutation, ...] = (
    _cut, _shuffled, _doubled, _thinned, _flipped, _strange, _fenced, _huge, _deep, _prefixed, _numbered, _flat,
    _repeated, _ended, _elided,
)  # fmt: skip


def damaged(texts: Mapping[str, str], chance: random.Random) -> tuple[str, str]:
    """One damaged paste, and what was done to which."""
    names = chance.sample(sorted(texts), chance.choice((1, 1, 2, 3)))
    lines = "\n".join(texts[name] for name in names).split("\n")
    done = [chance.choice(MUTATIONS) for _ in range(chance.randint(1, 4))]
    for mutation in done:
        lines = mutation(lines or [""], chance)
        lines = "\n".join(lines)[: 2**20].split("\n")
    return "+".join((*names, *(one.__name__.strip("_") for one in done))), "\n".join(lines)


def main() -> int:
    """Run it; 1 where something failed."""
    parser = argparse.ArgumentParser(prog="python -m evals.paste_fuzz", description=__doc__)
    parser.add_argument("--tries", type=int, default=TRIES)
    parser.add_argument("--first", type=int, default=0, help="the number of the first try")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    texts, forms, failed, longest = samples(), Counter[str](), 0, (0.0, "")
    for number in range(options.first, options.first + options.tries):
        chance = random.Random(options.seed * 1_000_003 + number)
        name, text = damaged(texts, chance)
        began = time.process_time()
        try:
            found = recognise(text, name)
        except Exception as error:
            failed += 1
            print(f"FAILED {number} {name}: {type(error).__name__}: {error}", flush=True)
            continue
        seconds = time.process_time() - began
        forms.update(piece.form for piece in found.pieces)
        longest = max(longest, (seconds, f"{number} {name}, {len(text)} characters"))
        if seconds > SECONDS:
            failed += 1
            print(f"SLOW {number} {name}: {seconds:.1f} s for {len(text)} characters", flush=True)
    print(f"{options.tries} damaged pastes, {failed} failed, the longest {longest[0]:.2f} s: {longest[1]}")
    print(", ".join(f"{form} {count}" for form, count in forms.most_common()))
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())
