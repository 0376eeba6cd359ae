"""A misspelt field is never there, so nothing fails: every field that is named is held against the generated list."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.answer.taxonomy import CAUSES
from agent.checks.versus_baseline import FLOORS
from agent.evidence.fields import FIGURES, SHOWN
from agent.evidence.known import examples, fields, is_known
from agent.runbooks.library import CauseNotes, load
from evals.fields import general, pattern
from evals.fields import named as code_names
from tools.records import KINDS

ROOT = Path(__file__).resolve().parent.parent.parent.parent
ASKING = ("get", "number", "text")


def named(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """What code names as a tool's field: in `view.get("info", "role")`, and in pairs such as `("info", "role")`."""
    for node in ast.walk(tree):
        pair: list[ast.expr] = []
        if isinstance(node, ast.Tuple):
            pair = node.elts
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASKING:
            pair = node.args
        tool, field = map(pattern, pair) if len(pair) == 2 else (None, None)
        # Two tools' names are a pair of what a cause needs.
        if tool in fields() and field is not None and field not in fields():
            yield getattr(node, "lineno", 0), str(tool), field


def misspelt(code: str) -> list[tuple[int, str, str]]:
    return [one for one in named(ast.parse(code)) if not is_known(one[1], one[2])]


@pytest.mark.parametrize(
    "code",
    [
        'view.get("info", "rejected_conections.delta")', 'view.number("clients", "o1.cuont")',
        'view.text("replication", f"replica{number}.stat")', 'cited = ("commandstats", f"{low}.usec_per_cal")',
        'view.cite(("memory", "used_memory"), ("memory", "used_memroy"))', 'view.get("clients", f"{at}.pendign")',
    ],
)  # fmt: skip
def test_a_misspelt_field_is_noticed(code: str) -> None:
    assert len(misspelt(code)) == 1


@pytest.mark.parametrize(
    "room", ["checks", "plan", "report", "investigation", "loop", "chat", "tickets", "remediation"]
)
def test_the_code_names_fields_that_there_are(room: str) -> None:
    wrong = {path.name: misspelt(path.read_text("utf-8")) for path in sorted((ROOT / "agent" / room).rglob("*.py"))}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_the_checks_name_many() -> None:
    code = (path.read_text("utf-8") for path in (ROOT / "agent" / "checks").glob("*.py"))
    assert sum(1 for text in code for _ in named(ast.parse(text))) > 700


def test_the_list_has_all_that_the_code_names() -> None:
    stale = {tool: names - set(fields().get(tool, ())) for tool, names in code_names().items()}
    assert {tool: missing for tool, missing in stale.items() if missing} == {}, "run python -m evals.fields"


def test_what_is_shown_first_is_there() -> None:
    wrong = [(tool, field) for tool, names in FIGURES.items() for field in names if not is_known(tool, field)]
    assert wrong == []
    assert set(FIGURES) | {"symptom", "kernel_log"} <= set(fields())


@pytest.mark.parametrize("tool", SHOWN)
def test_each_field_that_a_model_sees_first_is_there(tool: str) -> None:
    # A name that is put together, such as a baseline's, is there as its pattern.
    for shown in alternatives(SHOWN[tool]):
        name = re.sub(r"\\w\+|\[[^]]*\]\+?|\.\*", "x", shown).replace("\\d+", "1").replace("\\", "")
        assert any(re.fullmatch(shown, one) for one in examples(tool)) or is_known(tool, name), (shown, name)


def alternatives(shown: str) -> list[str]:
    """The alternatives of a pattern, those in its groups too, each as a pattern of its own."""
    parts, depth, last = [""], 0, ""
    for char in shown:
        depth += {"(": 1, ")": -1}.get(char, 0) if last != "\\" else 0
        if char == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += char
        last = char
    return [one for part in parts for one in _without_groups(part)]


def _without_groups(part: str) -> list[str]:
    group = re.search(r"\(([^()]*)\)(\??)", part)
    if group is None:
        return [part]
    words = [*group[1].split("|"), *([""] if group[2] else [])]
    return [one for word in words for one in _without_groups(part[: group.start()] + word + part[group.end() :])]


def test_the_alternatives_of_a_pattern() -> None:
    assert alternatives(r"a|(b|c)_(x|y)?|d\.e") == ["a", "b_x", "b_y", "b_", "c_x", "c_y", "c_", r"d\.e"]


def test_a_figure_of_the_good_day_is_one_that_is_taken() -> None:
    tree = "".join(path.read_text("utf-8") for path in (ROOT / "agent" / "investigation").glob("*.py"))
    assert [figure for figure in FLOORS if f'"{figure}"' not in tree] == []


NOTES = [(cause, notes) for book in load().runbooks for cause, notes in book.causes.items()]


@pytest.mark.parametrize(("cause", "notes"), NOTES, ids=[cause for cause, _ in NOTES])
def test_the_runbooks_name_fields_that_there_are(cause: str, notes: CauseNotes) -> None:
    goals = [(goal.tool, goal.field) for remedy in notes.remedies for goal in remedy.check]
    assert [one for one in goals if not is_known(*one)] == []
    clues = [clue.field for remedy in notes.remedies for clue in remedy.unless]
    assert [clue for clue in clues if not any(is_known(tool, clue) for tool in fields())] == []
    prose = " ".join((notes.evidence, *(remedy.verify or "" for remedy in notes.remedies)))
    assert [word for word in looks_like_fields(prose) if not anywhere(word)] == []


def looks_like_fields(prose: str) -> list[str]:
    """Words with an underscore, or with a dot between letters, as only fields' names have them."""
    words = (word.strip(".,;:()'\"") for word in prose.split())
    return [word for word in words if re.fullmatch(r"[\w-]+(\.[\w-]+)*", word) and re.search(r"_|[a-z]\.[a-z]", word)]


def anywhere(word: str) -> bool:
    """Whether some tool has the field, or a field that this is a part of; or it's a tool's name or a cause's."""
    if word in fields() or word in CAUSES or word in KINDS:
        return True
    part = re.compile(rf"(.*\.)?{re.escape(word)}(\..*)?")
    return any(
        is_known(tool, word) or is_known(tool, f"{word}.count") or any(map(part.fullmatch, examples(tool)))
        for tool in fields()
    )


def test_a_field_is_listed_by_its_family() -> None:
    assert general("clients", "o12.count") == "o#.count"
    assert general("streams", "s1.g2.pending") == "s#.g#.pending"
    assert general("info", "errorstat_OOM.count.delta") == "errorstat_*.count.delta"
    assert general("commandstats", "client|list.usec_per_call") == "*.usec_per_call"
    assert general("latency_sample", "over_10ms_share") == "over_10ms_share"
