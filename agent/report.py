"""The answer for people: text and Markdown. The first three lines are what it is, what to do, what not to do."""

from collections.abc import Mapping, Sequence

from agent.diagnosis import Cause, Diagnosis, Evidence, Step
from tools.records import Reading, Scalar

SPARKS = "▁▂▃▄▅▆▇█"
FIGURES = {
    "connect": ("stage", "dns_ms", "tcp_ms", "tls_ms", "auth_ms", "first_ping_ms"),
    "ping": ("reply", "ms"),
    "silence": ("waited_seconds", "ping_answered", "unknown_command_answered"),
    "latency_sample": ("min_ms", "median_ms", "p99_ms", "max_ms", "over_10ms_share"),
    "info": (
        "connected_clients", "maxclients", "rejected_connections.delta", "total_connections_received.rate",
        "total_commands_processed.rate", "blocked_clients",
    ),
    "commandstats": ("busy_share", "top", "top_share"),
    "slowlog": ("entries", "max_usec", "newest_age"),
    "clients": ("connected", "unused", "blocked", "paused", "omem_max", "qbuf_max"),
    "config_get": ("maxclients", "timeout", "tcp-keepalive"),
    "acl_log": ("entries",),
    "idle_probe": ("idle_seconds", "closed_by_peer", "closed_after_seconds", "ping_after", "still_listed"),
    "process": ("listening", "state", "nofile_soft", "num_fds", "cpu_share"),
    "sockets": ("established", "time_wait", "close_wait", "recv_q", "send_q", "ListenOverflows.delta"),
    "machine": ("cpu_busy_share", "memory_available_bytes", "top_process.cpu_share"),
}  # fmt: skip
"""The figures of each tool that a person looks at first."""


def headline(answer: Diagnosis) -> tuple[str, str, str]:
    """What it is, what to do now, what not to do: a line each."""
    model = answer.model
    by = f"checks alone: {model.degraded or model.why}" if model.alone else f"model {model.name}: {model.why}"
    what = _what(answer)
    first = next(iter(answer.plan), None)
    do = f"{first.action}{_asks(first)}" if first else _then(answer)
    avoid = next((step.avoid for step in answer.plan if step.avoid), None)
    dont = avoid or _leave(answer)
    return f"What it is ({by}): {what}", f"Do now: {do}", f"Don't: {dont}"


def _what(answer: Diagnosis) -> str:
    if answer.causes:
        top = answer.causes[0]
        others = (
            f" Also {', '.join(f'{c.id} {c.probability:.0%}' for c in answer.causes[1:])}." if answer.causes[1:] else ""
        )
        return f"{top.id}, {top.probability:.0%}. {top.why}{others}"
    if answer.outcome == "no-fault":
        return "no-fault. Redis was measured and does what it should; what was reported isn't visible here now."
    if answer.outcome == "outside-redis":
        outside = next((cause.why for cause in answer.findings if cause.id == "outside-redis"), "")
        return f"outside-redis. {outside}".strip()
    return "insufficient-evidence. " + (answer.unknown[0] if answer.unknown else "The readings don't point anywhere.")


def _asks(step: Step) -> str:
    return f" on {step.node}, after a yes ({step.risk})" if step.needs_approval else ""


def _then(answer: Diagnosis) -> str:
    if answer.outcome == "no-fault":
        return "look at the client: its pool, its own time-outs, its network; run this again while it happens."
    if answer.outcome == "outside-redis":
        return "mend what is named above, then run this again."
    return "read what is listed as unknown below, then run this again."


def _leave(answer: Diagnosis) -> str:
    if answer.outcome in ("no-fault", "outside-redis"):
        return "restart or tune Redis: nothing here speaks for it."
    return "restart the server before its evidence was read."


def value(scalar: Scalar) -> str:
    """A value as it's printed."""
    if isinstance(scalar, bool):
        return "yes" if scalar else "no"
    if isinstance(scalar, float):
        return f"{scalar:g}"
    return "-" if scalar is None else str(scalar)


def cited(evidence: Evidence) -> str:
    """One citation: reading, field, value."""
    mark = "" if evidence.verified else " (UNVERIFIED)"
    return f"{evidence.reading} {evidence.field}={value(evidence.value)}{mark}"


def figures(reading: Reading) -> str:
    """A reading in a line: the figures to look at first, or why there are none."""
    values = reading.values or {}
    picked = [
        f"{field}={value(values[field])}" for field in FIGURES.get(reading.tool, ()) if values.get(field) is not None
    ]
    if reading.unavailable:
        picked.insert(0, f"unavailable={reading.unavailable.kind}")
    return " ".join(picked)


def sparkline(series: str) -> str:
    """A latency sample's series as one line of blocks, scaled to its largest."""
    numbers = [float(part) for part in series.split()]
    top = max(numbers, default=0) or 1
    return "".join(SPARKS[min(len(SPARKS) - 1, int(number / top * len(SPARKS)))] for number in numbers)


def text(answer: Diagnosis, *, spark: bool = False, revealed: Mapping[str, str] | None = None) -> str:
    """The answer as plain text."""
    lines = [*headline(answer), ""]
    lines += [f"Server   {_server(answer)}", f"Symptom  {answer.symptom or '(none given)'}", ""]
    lines += _causes("Causes", answer.causes)
    shown = [cause.id for cause in answer.causes]
    rest = [cause for cause in answer.findings if cause.id not in shown]
    lines += _causes("Less likely" if answer.model.alone else "What the checks found besides", rest)
    if answer.plan:
        lines.append("Plan (nothing is changed without a yes)")
        lines += [line for step in answer.plan for line in _step(step)] + [""]
    if answer.ruled_out:
        lines.append("Ruled out")
        lines += [f"  {out.id}: {out.because} {_brackets(out.evidence)}".rstrip() for out in answer.ruled_out] + [""]
    if answer.unknown:
        lines += ["Unknown", *(f"  {line}" for line in answer.unknown), ""]
    lines += ["Readings", *(_reading(reading, spark) for reading in answer.readings if reading.tool != "symptom"), ""]
    if revealed:
        lines += ["Handles", *(f"  {handle} = {text!r}" for handle, text in revealed.items()), ""]
    lines.append(cost(answer))
    return "\n".join(lines)


def _server(answer: Diagnosis) -> str:
    target = answer.target
    if target.server is None:
        return f"{target.url} (never reached)"
    return f"{target.url} ({target.server} {target.version}, {target.topology})"


def _causes(title: str, causes: Sequence[Cause]) -> list[str]:
    if not causes:
        return []
    lines = [title]
    for cause in causes:
        lines.append(f"  {cause.probability:>4.0%} {cause.id}: {cause.why}")
        if cause.evidence:
            lines.append(f"       {_brackets(cause.evidence)}")
    return [*lines, ""]


def _brackets(evidence: Sequence[Evidence]) -> str:
    return f"[{'; '.join(cited(item) for item in evidence)}]" if evidence else ""


def _step(step: Step) -> list[str]:
    state = "" if step.state == "proposed" else f" [{step.state}]"
    who = f"{step.risk}, asks for a yes" if step.needs_approval else "by hand"
    lines = [f"  {step.id} {step.action}{state}", f"     {who}. {step.why}"]
    if step.kind == "config_set":
        lines.append(
            f"     now {step.before!r}; undo: {step.rollback}; lost at the next restart unless the file has it"
        )
    elif step.rollback:
        lines.append(f"     undo: {step.rollback}")
    if step.verify:
        lines.append(f"     verify: {step.verify}")
    return lines


def _reading(reading: Reading, spark: bool) -> str:
    series = (reading.values or {}).get("series_ms")
    drawn = f" {sparkline(str(series))}" if spark and series else ""
    ms = f"{reading.ms:.1f} ms" if reading.ms is not None else "-"
    return f"  {reading.id:<4} {reading.tool:<14} {ms:>10}  {figures(reading)}{drawn}".rstrip()


def cost(answer: Diagnosis) -> str:
    """What the investigation cost."""
    print_ = answer.footprint
    model = answer.model
    spent = f"; model {model.turns} turns, {model.tokens_in}+{model.tokens_out} tokens" if model.turns else ""
    cut = " INTERRUPTED: this is what was known by then." if answer.interrupted else ""
    return (
        f"Cost to the server: {print_.commands} commands, {print_.pings} pings, {print_.bytes} bytes, "
        f"in {answer.seconds:.1f} s{spent}.{cut}"
    )


def markdown(answer: Diagnosis) -> str:
    """The answer as Markdown: the same short top, the evidence below."""
    what, do, dont = headline(answer)
    lines = [f"**{_split(what)}", "", f"**{_split(do)}", "", f"**{_split(dont)}", ""]
    if answer.causes:
        lines += ["| cause | probability | evidence |", "|---|---|---|"]
        lines += [
            f"| `{c.id}` | {c.probability:.0%} | {'; '.join(f'`{_cell(cited(e))}`' for e in c.evidence)} |"
            for c in answer.causes
        ] + [""]
    if answer.plan:
        lines += ["| step | action | risk | undo |", "|---|---|---|---|"]
        lines += [
            f"| {s.id} | {_cell(f'`{s.action}`' if s.needs_approval else s.action)} "
            f"| {s.risk}{', needs a yes' if s.needs_approval else ', by hand'}, {s.state} "
            f"| {_cell(f'`{s.rollback}`' if s.rollback and s.needs_approval else s.rollback or '-')} |"
            for s in answer.plan
        ] + [""]
    lines += ["<details><summary>Readings</summary>", "", "| reading | tool | figures |", "|---|---|---|"]
    lines += [f"| {r.id} | {r.tool} | {_cell(figures(r))} |" for r in answer.readings if r.tool != "symptom"]
    lines += ["", "</details>", ""]
    if answer.unknown:
        lines += ["Unknown:", "", *(f"- {line}" for line in answer.unknown), ""]
    return "\n".join([*lines, cost(answer)])


def _split(line: str) -> str:
    head, _, rest = line.partition(": ")
    return f"{head}:** {rest}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
