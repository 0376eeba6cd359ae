"""What the options mean: the target, the model, the sources."""

import argparse
import os
from pathlib import Path

from agent.answer.diagnosis import OFFLINE, ModelUse
from agent.investigation.investigation import Options, Sources
from agent.investigation.model_stage import ModelSettings
from agent.model.usage import Prices
from agent.recordings.baseline_file import read_baseline
from agent.runbooks.library import load
from tools.clock import Clock
from tools.connection.target import Target, Tls, parse_target
from tools.errors import UsageError
from tools.host.facts import load_facts
from tools.past.history import History, moment
from tools.records import BudgetLimits
from tools.redact import hide_secrets
from tools.settings import settings_for

DEADLINE_CHECKS, DEADLINE_MODEL = 30.0, 180.0


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


def options_of(args: argparse.Namespace, use: ModelUse) -> Options:
    """How an investigation goes about it."""
    deadline = args.deadline or (DEADLINE_CHECKS if use.name == OFFLINE else DEADLINE_MODEL)
    budget = BudgetLimits(commands=args.max_commands, pings=args.max_pings)
    return Options(window=args.window, deadline=deadline, budget=budget, one_node=args.one_node)


def asking_of(args: argparse.Namespace) -> ModelSettings:
    """How the model is asked. Raises `UsageError` for a bound on the cost without a price to hold it against."""
    if args.max_cost is not None and None in (args.price_in, args.price_out):
        raise UsageError("--max-cost needs --price-in and --price-out, the prices of a million tokens")
    return ModelSettings(
        timeout=args.model_timeout, max_tokens=args.max_tokens, turns=args.max_turns,
        total_tokens=args.max_total_tokens, cost=args.max_cost,
        prices=Prices(of_in=args.price_in, of_out=args.price_out),
    )  # fmt: skip


def outside_of(args: argparse.Namespace, target: Target, clock: Clock) -> Sources:
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
    return Sources(facts=facts, log=args.server_log, history=past, record=path_of(args.record), baseline=good)
