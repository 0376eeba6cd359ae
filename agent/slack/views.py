"""The dialogs: the question about one exact change, the evidence, the plan, and what was wrong with an answer."""

from collections.abc import Iterator, Sequence

from agent.answer.diagnosis import Diagnosis, Evidence, Step
from agent.answer.taxonomy import CAUSES
from agent.report.markup import in_chat
from agent.report.meanings import MEANINGS
from agent.report.render import printed_value, shown_evidence
from agent.report.summary import headline, sentence
from agent.report.words import SYMPTOM, in_words
from agent.service.proposal import Proposal
from agent.slack.blocks import OPTIONS_MOST, Block, context, dialog, plain, pre, section
from agent.tickets.notify import in_code, with_code
from tools.gate.apply import VALID_FOR
from tools.text import one_line

VALUE_SHOWN = 600
"""Characters of a value that was read; what would be sent is never cut."""
CITED_MOST, CAUSES_MOST, PLAN_MOST = 12, 5, 15
NOTE_MOST = 1000


def told(title: str, *lines: str) -> Block:
    """A dialog that only says something, in plain words."""
    return dialog(title, [section([in_chat(one_line(line, 1000)) for line in lines])])


def decision(made: Proposal, kept: str) -> Block:
    """The question about one exact change: what the gate would send and has read, and nobody's words about it."""
    is_undo = made.kind == "roll-back"
    facts = [f"*On:* {in_code(made.request.change.node)}", f"*Value before:* {_value(made.before)}"]
    if made.after is not None:
        facts.append(f"*Value after:* {_value(made.after)}")
    if made.sizes:
        facts.append(f"*As amounts of memory:* {in_chat(made.sizes)}")
    facts.append(f"*Risk:* {'risky' if made.is_risky else 'safe'}")
    if not is_undo:
        facts.append(f"*Undo:* {in_code(made.undo) if made.undo else 'nothing; it cannot be undone'}")
    if made.request.unchecked:
        facts.append(f"*Unknown:* {in_chat(one_line(made.request.unchecked, VALUE_SHOWN))}")
    minutes = VALID_FOR.total_seconds() / 60
    stays = "" if made.lasts else " A restart of the server takes it back."
    small = (
        f"Nothing is sent unless the value before still stands.{stays} This dialog is good for {minutes:.0f} minutes."
    )
    title, submit = ("Undo a change", "Undo it") if is_undo else ("Approve a change", "Approve it")
    blocks = [pre(made.action), section(facts), context(small)]
    return dialog(title, blocks, name="decision", kept=kept, submit=submit)


def evidence(answer: Diagnosis) -> Block:
    """What proves each cause, and what was ruled out."""
    by_id = {one.id: one for one in answer.readings}

    def cited(found: Sequence[Evidence]) -> Iterator[str]:
        for one in shown_evidence(found)[:CITED_MOST]:
            words = "what was reported" if one.reading == SYMPTOM else "; ".join(in_words((one,), by_id))
            figure = in_code(one_line(f"{one.reading} {one.field} = {printed_value(one.value)}", 200))
            wrong = "" if one.verified else " *not confirmed by the readings*"
            yield f"• {in_chat(one_line(words, 300))} {figure}{wrong}" if words else f"• {figure}{wrong}"

    blocks: list[Block] = []
    named = {one.id for one in answer.causes}
    for cause in (*answer.causes, *(one for one in answer.findings if one.id not in named)):
        why = with_code(one_line(sentence(cause.why), 700))
        head = f"*{cause.probability:.0%}* {in_code(cause.id)}{f' at {in_code(cause.where)}' if cause.where else ''}"
        blocks.append(section([head, why, *cited(cause.evidence)]))
    for one in answer.ruled_out[:CAUSES_MOST]:
        blocks.append(section([f"Ruled out: {in_code(one.id)}. {with_code(one_line(sentence(one.because), 700))}"]))
    rest = [line for line in cited(answer.evidence)] if not answer.causes else []
    blocks += [section(rest)] if rest else []
    blocks += [section([f"Not seen: {with_code(one_line(one, 500))}" for one in answer.unknown[:10]])] * bool(
        answer.unknown
    )
    return dialog("Evidence", [section([in_chat(headline(answer))]), *blocks])


def plan(answer: Diagnosis) -> Block:
    """All steps with their reasons."""
    warned: set[str | None] = {None}
    steps: list[Block] = []
    for one in answer.plan[:PLAN_MOST]:
        # The same warning often goes for several steps.
        steps.append(section(_step(one, warns=one.avoid not in warned)))
        warned.add(one.avoid)
    return dialog("Plan", steps or [section(["There is nothing to be done here."])])


def _step(step: Step, *, warns: bool) -> Iterator[str]:
    at = f" on {in_code(step.node)}" if step.node else ""
    yield f"*{in_chat(step.id)}* {in_chat(step.state)}, {step.risk}{at}"
    yield in_code(one_line(step.action, 700)) if step.needs_approval else with_code(one_line(step.action, 700))
    if step.unverified:
        yield "A model's advice that no runbook knows."
    if step.why:
        yield with_code(one_line(sentence(step.why), 500))
    if step.avoid and warns:
        yield f"*Don't:* {with_code(one_line(sentence(step.avoid), 500))}"
    yield from (in_code(one_line(line, 300)) for line in step.paste[:3])


def wrong(kept: str) -> Block:
    """Asks what it was."""
    options = [
        {"text": plain(f"{id}: {MEANINGS.get(id, id)}", 75), "value": id} for id in sorted(CAUSES)[:OPTIONS_MOST]
    ]
    cause = {"type": "static_select", "action_id": "cause", "placeholder": plain("Leave empty if unknown", 150),
             "options": options}  # fmt: skip
    note = {"type": "plain_text_input", "action_id": "note", "multiline": True, "max_length": NOTE_MOST}
    blocks: list[Block] = [
        {"type": "input", "block_id": "cause", "optional": True, "label": plain("What was it?", 150), "element": cause},
        {"type": "input", "block_id": "note", "optional": True, "label": plain("Anything else?", 150), "element": note},
    ]
    return dialog("This answer is wrong", blocks, name="wrong", kept=kept, submit="Send")


def _value(text: str | None) -> str:
    if text is None:
        return "none"
    shown = one_line(text, VALUE_SHOWN)
    return in_code(shown) or "an empty text"
