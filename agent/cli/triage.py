"""`rediagnose triage`: one command, one answer."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from rich.console import Console

from agent.answer.diagnosis import OFFLINE, Diagnosis, ModelUse
from agent.cli.program import ANSWERED, FAILED, INTERRUPTED
from agent.investigation.investigation import Investigation, Options, Outside
from agent.investigation.model_stage import Asking, show_prompt, think
from agent.model.selection import choose
from agent.model.usage import Prices
from agent.recordings.baseline_file import read_baseline
from agent.remediation.approval import settle, terminal, undoing
from agent.remediation.audit import Heard, audit_of, log_of, note_proposals
from agent.report.progress import Progress
from agent.report.render import markdown, text
from agent.runbooks.library import load
from tools.clock import Clock, SystemClock
from tools.connection.target import Target, Tls, parse_target
from tools.errors import RediagnoseError, Unlogged, UsageError
from tools.host.facts import load_facts
from tools.past.history import History, moment
from tools.records import Budget
from tools.redact import hide_secrets
from tools.settings import settings_for

DEADLINE_CHECKS, DEADLINE_MODEL = 30.0, 180.0
ROUND_OFF = 1.5
"""Seconds for the plan of an interrupted investigation."""
Finish = Callable[[argparse.Namespace, Investigation, Heard, Console], Awaitable[int]]
"""Does with a finished investigation what is to be done; the exit status."""
Show = Callable[[argparse.Namespace, Investigation, Diagnosis, Console], None]
"""Prints an answer."""


async def triage(args: argparse.Namespace) -> int:
    """Investigate and print the answer. Raises `UsageError` for input that can't be used."""
    target, symptom = target_of(args)
    if not args.notify:
        return await investigate(args, target, symptom)
    # They load on first use: most investigations notify nobody.
    from agent.tickets.notify import notified, webhooks

    told = webhooks(args.notify)

    async def finish(args: argparse.Namespace, incident: Investigation, heard: Heard, out: Console) -> int:
        status = await _finish(args, incident, heard, out)
        return status if await notified(told, incident.answer()) else FAILED

    return await investigate(args, target, symptom, finish)


def target_of(args: argparse.Namespace) -> tuple[Target, str]:
    """The target and the symptom of the positionals: the one that contains :// is the URL."""
    urls = [word for word in args.what if "://" in word.split(" ", 1)[0]]
    symptoms = [word for word in args.what if word not in urls]
    if len(urls) > 1 or len(symptoms) > 1:
        extra = (urls if len(urls) > 1 else symptoms)[-1]
        raise UsageError(f"{extra!r}: give one URL and one symptom; put a symptom of several words in quotes")
    url = urls[0] if urls else os.environ.get("REDIS_URL")
    if not url:
        given = f"{symptoms[0]!r} isn't a URL and " if symptoms else ""
        raise UsageError(f"{given}REDIS_URL isn't set; give a URL such as redis://host:6379")
    target = parse_target(url, tls=tls_of(args), password_file=path_of(args.password_file))
    if target.tls:
        target.tls.context()
    return target, hide_secrets(symptoms[0]) if symptoms else ""


def tls_of(args: argparse.Namespace) -> Tls:
    """The TLS settings of the options."""
    return Tls.model_validate({name: getattr(args, name) for name in ("cacert", "cert", "key", "insecure")})


def path_of(text: str | None) -> Path | None:
    """The path that was given, if one was."""
    return Path(text) if text else None


async def investigate(
    args: argparse.Namespace, target: Target, symptom: str, finish: Finish | None = None, show: Show | None = None
) -> int:
    """One investigation with its progress on stderr and its answer on stdout; the exit status.

    `finish` does with the answer what is to be done, and gives the status; `show` prints what was known at an
    interruption. Raises `UsageError` for options that can't be used.
    """
    if target.tls:
        target.tls.context()
    use = choose(args.model)
    library = load(path_of(args.runbooks))
    options = options_of(args, use)
    out = Console()
    errors = Console(stderr=True)
    progress = Progress(errors)
    if target.tls and target.tls.insecure:
        errors.print("rediagnose: warning: --insecure: the server's certificate isn't verified", highlight=False)
    clock, heard = SystemClock(), Heard(progress)
    incident = Investigation(target, symptom, library, clock, heard, options, outside_of(args, target, clock))
    asking = asking_of(args)
    try:
        with progress, ended_by(signal.SIGTERM):
            incident.start(use)
            verdict = await incident.survey()
            if args.show_prompt:
                print(show_prompt(incident, asking))
                return ANSWERED
            if use.name != OFFLINE:
                verdict = await think(incident, verdict, asking)
            await incident.plan(verdict)
        return await (finish or _finish)(args, incident, heard, out)
    except asyncio.CancelledError:
        await round_off(incident)
        (show or _print)(args, incident, incident.answer(interrupted=True), out)
        return INTERRUPTED
    finally:
        await incident.close()


def options_of(args: argparse.Namespace, use: ModelUse) -> Options:
    """How an investigation goes about it."""
    deadline = args.deadline or (DEADLINE_CHECKS if use.name == OFFLINE else DEADLINE_MODEL)
    budget = Budget(commands=args.max_commands, pings=args.max_pings)
    return Options(window=args.window, deadline=deadline, budget=budget, one_node=args.one_node)


def asking_of(args: argparse.Namespace) -> Asking:
    """How the model is asked. Raises `UsageError` for a bound on the cost without a price to hold it against."""
    if args.max_cost is not None and None in (args.price_in, args.price_out):
        raise UsageError("--max-cost needs --price-in and --price-out, the prices of a million tokens")
    return Asking(
        timeout=args.model_timeout, max_tokens=args.max_tokens, turns=args.max_turns,
        total_tokens=args.max_total_tokens, cost=args.max_cost,
        prices=Prices(of_in=args.price_in, of_out=args.price_out),
    )  # fmt: skip


def outside_of(args: argparse.Namespace, target: Target, clock: Clock) -> Outside:
    """What may be looked at besides the servers. Raises `UsageError` naming the option and the remedy."""
    try:
        at = moment(args.at, clock.now()) if args.at else None
    except ValueError as error:
        raise UsageError(f"--at: {error}") from None
    url, source = args.prometheus, "--prometheus"
    if not url and (kept := settings_for(target).prometheus):
        url, source = kept.get_secret_value(), "rediagnose.toml"
    if not url and (url := os.environ.get("REDIAGNOSE_PROMETHEUS")):
        source = "REDIAGNOSE_PROMETHEUS"
    facts = load_facts(args.host_facts) if args.host_facts else None
    past = History(url, clock, at, source=source)
    good = read_baseline(Path(args.baseline), load()) if args.baseline else None
    return Outside(facts=facts, log=args.server_log, history=past, record=path_of(args.record), baseline=good)


async def round_off(incident: Investigation) -> None:
    """A plan for what is known, if it can be had at once: the person wants the prompt back."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    if not incident.planned.steps:
        with contextlib.suppress(TimeoutError, RediagnoseError):
            async with asyncio.timeout(ROUND_OFF):
                await incident.plan(incident.verdict or incident.check())


async def _finish(args: argparse.Namespace, incident: Investigation, heard: Heard, out: Console) -> int:
    """Print the answer, and ask about its steps where a person is there to say yes."""
    asker = Console(stderr=True)

    def show(line: str) -> None:
        asker.print(line, markup=False, highlight=False, soft_wrap=True)

    # Told before anything is asked: a recording holds the plan then, whatever becomes of this process.
    answer = incident.answer()
    asks = _asks(args) and bool(incident.planned.changes)
    if args.format == "text" or not asks:
        _print(args, incident, answer, out)
    if not noted(args, incident, heard):
        asks = False
        if args.format != "text" and _asks(args) and incident.planned.changes:
            _print(args, incident, answer, out)
    if asks:
        log = log_of(args, path_of(args.record))
        await settle(incident, terminal(asker), show, channel="terminal", log=log, undo=undoing(asker))
        if args.format != "text":
            _print(args, incident, incident.answer(), out)
    return ANSWERED


def noted(args: argparse.Namespace, incident: Investigation, heard: Heard) -> bool:
    """Write down what was proposed; whether it could be, without which nothing is applied."""
    try:
        note_proposals(incident, heard, audit_of(args))
    except Unlogged as error:
        print(f"rediagnose: no step can be applied: {error}", file=sys.stderr)
        return False
    return True


def _asks(args: argparse.Namespace) -> bool:
    return args.approve == "ask" and sys.stdin.isatty() and sys.stderr.isatty()


def _print(args: argparse.Namespace, incident: Investigation, answer: Diagnosis, out: Console) -> None:
    if args.format == "json":
        print(answer.to_json())
    elif args.format == "markdown":
        print(markdown(answer))
    else:
        revealed = incident.handles.revealed() if args.reveal else None
        _coloured(out, text(answer, spark=out.is_terminal, revealed=revealed))
    sys.stdout.flush()


def _coloured(out: Console, answer: str) -> None:
    if not out.is_terminal:
        print(answer)
        return
    styles = ("bold red", "bold green", "bold yellow")
    for number, line in enumerate(answer.splitlines()):
        style = styles[number] if number < len(styles) else None
        out.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def ended_by(number: signal.Signals) -> Iterator[None]:
    """A signal ends the investigation as Ctrl-C does: with what was found so far."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            loop.remove_signal_handler(number)
