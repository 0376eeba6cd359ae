"""Whether the model's endpoint answers, and what it can do; its one question reveals nothing about a server."""

import time

from agent.answer.diagnosis import OFFLINE, ModelUse
from agent.answer.events import Event
from agent.doctor.check import Check
from agent.model.extras import NOTHING, Extras
from tools.text import one_line

TOOL = {
    "type": "function",
    "function": {
        "name": "ready", "description": "Say that you can call tools.", "strict": True,
        "parameters": {
            "type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"],
            "additionalProperties": False,
        },
    },
}  # fmt: skip
MESSAGES = (
    {"role": "system", "content": "You are tested by a program that can only read tool calls."},
    {"role": "user", "content": "Call the tool `ready` once, with the word `yes`."},
)
CAN = {
    "tools": "tool calls", "stream": "streaming", "tool_choice": "a required tool", "strict": "strict schemas",
    "roles": "a system's message", "stream_options": "token counts while streaming", "max_tokens": "max_tokens",
    "responses": "the Responses form",
}  # fmt: skip
"""What an endpoint may be able to do, in words for a person."""


async def checked_model(
    use: ModelUse, *, timeout: float, max_tokens: int | None = None, base_url: str | None = None,
    extras: Extras = NOTHING,
) -> Check:  # fmt: skip
    """Whether it answers within `timeout` seconds and calls a tool when told to."""
    if use.name == OFFLINE:
        line = (
            f"none: the checks answer alone ({use.why}); to use one, set OPENAI_API_KEY or OPENAI_BASE_URL, and --model"
        )
        return Check(name="model", state="unset", line=line)
    from agent.model.client import Model, ModelError

    began = time.monotonic()
    try:
        async with Model(use.name, _ignore, timeout=timeout, max_tokens=max_tokens, base_url=base_url,
                         extras=extras) as model:  # fmt: skip
            turn = await model.ask(MESSAGES, (TOOL,), ends=began + timeout, choice="ready")
            missing = sorted(CAN[one] for one in CAN.keys() - model.abilities - {"responses"})
    except ModelError as error:
        line = f"{use.name} can't be used: {one_line(str(error), 300)}; all answers would come from the checks alone"
        return Check(name="model", state="failed", line=line, facts={"model": use.name})
    took = time.monotonic() - began
    called = any(call.name == "ready" for call in turn.tool_calls)
    able = sorted(CAN[one] for one in CAN.keys() & model.abilities)
    facts: dict[str, str | bool | tuple[str, ...]] = {
        "model": use.name,
        "calls_tools": called,
        "can": tuple(able),
        "cannot": tuple(missing),
    }
    head = f"{use.name} answered in {took:.1f} s"
    details = (f"can: {', '.join(able)}", *((f"can't: {', '.join(missing)}",) if missing else ()))
    if "tools" not in model.abilities:
        line = f"{head} without tool calls: it has to write them into its text, which small models do badly"
    elif not called:
        line = f"{head} but didn't call the tool it was told to call; the checks answer when it can't"
    else:
        return Check(name="model", state="ok", line=f"{head} and calls tools", details=details, facts=facts)
    return Check(name="model", state="warning", line=line, details=details, facts=facts)


def _ignore(event: Event) -> None:
    pass
