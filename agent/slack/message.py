"""The one message about an incident, from its beginning to its end."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from agent.answer.diagnosis import Cause, Diagnosis, Step
from agent.report.first_screen import about, capitalized, do_now, not_seen
from agent.report.markup import in_chat
from agent.report.meanings import MEANINGS
from agent.report.sections import COMMAND
from agent.report.summary import address_of, author, explanation, headline, measured_at, sentence, what_not_to_do
from agent.service.records import Incident
from agent.slack.blocks import BLOCKS_MOST, Block, actions, button, context, header, person, section, select
from agent.slack.sealed import Sealing, mark_of, offered
from agent.tickets.notify import in_code, with_code
from tools.text import one_line

SYMPTOM_MOST, WHY_MOST, PROBLEM_MOST = 400, 700, 1000
CAUSES_MOST, STEPS_MOST, BLIND_MOST = 3, 4, 3
ACTION_MOST = 500
"""Characters of a change in the message; the dialog has all of it."""
STATES = {"proposed": "needs approval", "rolled-back": "rolled back"}


class Message(NamedTuple):
    """What is posted: the blocks, and the text of a notification about them."""

    text: str
    blocks: list[Block]


def message(one: Incident, now: str, decided: Mapping[str, str], sealing: Sealing, link: str = "") -> Message:
    """The message about an incident as it stands.

    `now` is what goes on at the moment; `decided` has by step what was decided about it and isn't carried out yet.
    """
    title, body = _parts(one, now, decided, sealing)
    last = [context(in_code(f"{link}{one.id}"))] if link else []
    text = in_chat(one_line(title, 300))
    return Message(text, [header(title), *body[: BLOCKS_MOST - 2], *last])


def _parts(
    one: Incident, now: str, decided: Mapping[str, str], sealing: Sealing
) -> tuple[str, list[Block]]:  # fmt: skip
    answer = one.diagnosis
    if one.state in ("queued", "looking"):
        reported = section([in_chat(one_line(one.symptom, SYMPTOM_MOST)) or "Nothing was reported."])
        waits = "Waiting for its turn" if one.state == "queued" else now or "Looking"
        return f"Looking at {one.target}", [reported, context(f"{in_chat(waits)} …")]
    if answer is None or one.state == "unanswered":
        why = section([in_chat(one_line(sentence(one.problem or "Nothing was found out."), PROBLEM_MOST))])
        over = [context(f"Closed by {person(one.closed_by or 'somebody')}.")] if one.state == "closed" else []
        return f"No answer about {one.target}", [why, *(over or [actions(_again(sealing))])]
    if one.state == "closed":
        closed = context(f"Closed by {person(one.closed_by or 'somebody')}; its steps are no longer offered.")
        return headline(answer), [*answer_blocks(answer), closed]
    steps = list(_steps(answer, decided, sealing))
    buttons = actions(
        button("Evidence", "evidence", sealing("evidence")), button("Plan", "plan", sealing("plan")),
        _again(sealing), button("Wrong", "wrong", sealing("wrong")),
    )  # fmt: skip
    judged = [context(_judged(one))] if one.feedback else []
    return headline(answer), [*answer_blocks(answer), *steps, buttons, *judged]


def answer_blocks(answer: Diagnosis) -> list[Block]:
    """The short answer, without its headline."""
    why = [with_code(capitalized(one_line(explanation(answer), WHY_MOST)))] if explanation(answer) else []
    causes = [_cause(one, is_first=one is answer.causes[0]) for one in answer.causes[:CAUSES_MOST]]
    causes = causes or [in_chat(capitalized(about(answer)))]
    do = [in_code(line.removeprefix(COMMAND)) if line.startswith(COMMAND) else with_code(one_line(line, WHY_MOST))
          for line in do_now(answer)]  # fmt: skip
    blind = [f"*Not seen:* {with_code(one_line(line, WHY_MOST))}" for line in list(not_seen(answer))[:BLIND_MOST]]
    dont = f"*Don't:* {with_code(capitalized(one_line(what_not_to_do(answer), WHY_MOST)))}"
    return [
        section([*causes, *why]), section(["*Do now*", *do]), section([dont]),
        *([section(blind)] if blind else []),
        context(f"{in_code(address_of(answer))}, at {measured_at(answer) or 'no time'}, by {in_chat(author(answer))}"),
    ]  # fmt: skip


def _cause(one: Cause, *, is_first: bool) -> str:
    at = f" at {in_code(one.where)}" if one.where else ""
    # What the first one means is the headline.
    words = "" if is_first else f": {in_chat(one_line(MEANINGS.get(one.id, one.why), WHY_MOST))}"
    return f"*{one.probability:.0%}* {in_code(one.id)}{at}{words}"


def _steps(answer: Diagnosis, decided: Mapping[str, str], sealing: Sealing) -> Iterator[Block]:
    """The steps that can be decided about here, with a button each."""
    wanted = [
        one for one in answer.plan if one.needs_approval and (offered(one, "decide") or offered(one, "roll-back"))
    ]
    for step in wanted[:STEPS_MOST]:
        action = one_line(step.action, ACTION_MOST)
        at = f" on {in_code(step.node)}" if step.node else ""
        state = decided.get(step.id) or STATES.get(step.state, step.state)
        line = f"{in_code(step.id)} {in_code(action)}{at}: {in_chat(state) if step.id not in decided else state}"
        yield section([line], None if step.id in decided else _decide(step, sealing))


def _decide(step: Step, sealing: Sealing) -> Block | None:
    if made := offered(step, "decide"):
        return button("Approve…", "decide", sealing("decide", step.id, mark_of(made)), "primary")
    if made := offered(step, "roll-back"):
        return button("Undo…", "roll-back", sealing("roll-back", step.id, mark_of(made)))
    return None


def _again(sealing: Sealing) -> Block:
    return button("Check again", "again", sealing("again"))


def _judged(one: Incident) -> str:
    said = one.feedback[-1]
    was = f": it was {in_code(said.cause)}" if said.cause else ""
    note = f" ({in_chat(one_line(said.note, 300))})" if said.note else ""
    return f"{person(said.by)} says the answer is {said.verdict}{was}{note}"


def question_about_target(asked: str, names: Sequence[str]) -> Message:
    """Asks which server is meant; the answer is a name of the settings."""
    said = "Which server is this about? Neither the message nor the settings say."
    choice = actions(select("Choose a server", "target", [(name, name) for name in names]))
    return Message(said, [section([f"{person(asked)}, {said[0].lower()}{said[1:]}"]), choice])
