"""The skill for coding assistants is what the command writes, and what it tells them to run is there."""

import re
import shlex

import pytest
import yaml

from agent.answer.taxonomy import CAUSES
from agent.cli.program import parser
from evals.readme import COMMANDS
from evals.skill import SKILL, written

FILES = written()
LINK = re.compile(r"\]\(([^)#]+)\)")
COMMAND = re.compile(r"`(rediagnose [^`]+)`")


def test_what_is_committed_is_what_the_command_writes() -> None:
    there = {path.relative_to(SKILL).as_posix(): path.read_text() for path in SKILL.rglob("*") if path.is_file()}
    assert there == FILES, "run python -m evals.skill"


def test_its_front_matter_is_that_of_a_skill() -> None:
    _, front, body = FILES["SKILL.md"].split("---\n", 2)
    head = yaml.safe_load(front)
    assert set(head) <= {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
    assert head["name"] == SKILL.name and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", head["name"])
    assert 0 < len(head["description"]) <= 1024
    assert len(head["compatibility"]) <= 500
    assert len(body.splitlines()) < 500


def test_its_links_lead_somewhere_and_every_reference_is_linked() -> None:
    links = LINK.findall(FILES["SKILL.md"])
    assert sorted(links) == sorted(set(FILES) - {"SKILL.md"})
    assert not any(LINK.findall(text) for name, text in FILES.items() if name != "SKILL.md")


def test_every_cause_is_in_one_reference() -> None:
    found = [id for name, text in FILES.items() if name != "SKILL.md" for id in re.findall(r"^## (\S+)$", text, re.M)]
    assert sorted(found) == sorted(CAUSES)


@pytest.mark.parametrize("line", sorted({line for text in FILES.values() for line in COMMAND.findall(text)}))
def test_what_it_says_to_run_can_be_run(line: str) -> None:
    _, *words = shlex.split(line.replace("CAUSE", "maxclients-exhausted"))
    parsed = parser(COMMANDS, "", words[0]).parse_args(words)
    assert parsed.command == words[0]


def test_no_file_is_long() -> None:
    assert max(len(text) for text in FILES.values()) < 24_000
