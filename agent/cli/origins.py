"""Which settings apply, and where each came from: an option, the environment, a file, or nowhere."""

import os
from collections.abc import Iterator, Mapping

from agent.answer.diagnosis import OFFLINE
from agent.cli.other_inputs import DoctorInputs
from agent.model.selection import at_azure, choose
from tools.connection.target import Target, parse_target
from tools.errors import RediagnoseError
from tools.gate.ledger import audit_path
from tools.records import Record
from tools.redact import hide_secrets
from tools.settings.file import all_settings, find_target, settings_for, target_names
from tools.settings.table import VARIABLE
from tools.settings.target_table import TargetSettings

NOWHERE = "the default"


class Origin(Record):
    """One setting."""

    name: str
    value: str | None
    """The value as it may be shown; null if there is none."""
    source: str
    """The option, variable or file it came from."""


def origins(inputs: DoctorInputs, target: Target | None, environ: Mapping[str, str] = os.environ) -> list[Origin]:
    """All settings that decide what is asked and with which credentials. They include no secret."""
    return [
        *_files(environ),
        *_server(inputs, target, environ),
        *_model(inputs, environ),
        *_rest(inputs, target, environ),
    ]


def _files(environ: Mapping[str, str]) -> Iterator[Origin]:
    found = list(all_settings(environ=environ))
    for one in found:
        says = "trusted" if one.trusted else "not trusted, so it isn't used for credentials (rediagnose trust)"
        names = ", ".join(target_names([one])) or "none with a name"
        source = VARIABLE if environ.get(VARIABLE) else "found"
        yield Origin(name="file of settings", value=f"{one.file}, {says}; targets: {names}", source=source)
    if not found:
        yield Origin(name="file of settings", value=None, source="no rediagnose.toml here or in ~/.config/rediagnose")


def _server(inputs: DoctorInputs, target: Target | None, environ: Mapping[str, str]) -> Iterator[Origin]:
    where, source = inputs.origin(inputs.what)
    if target is None or where is None:
        yield Origin(name="server", value=None, source="no SERVER, --url, --target or REDIS_URL")
        return
    one = find_target(where) if "://" not in where else None
    named = f"{source}, target {one.name} of {one.file}" if one else source
    yield Origin(name="server", value=target.url, source=named)
    known = one or settings_for(target)
    yield _credentials(inputs, target, known, where, environ)
    if target.tls:
        own = next((f"--{name}" for name in ("cacert", "cert", "key", "insecure") if getattr(inputs, name)), None)
        of_file = str(known.file) if known.cacert or known.cert else None
        verified = "not verified" if target.tls.insecure else "verified"
        yield Origin(name="TLS", value=f"certificate {verified}", source=own or of_file or "the URL")
    if target.trust:
        yield Origin(name="trusted networks", value=", ".join(map(str, target.trust)),
                     source="--trust" if inputs.trust else str(known.file))  # fmt: skip


def _credentials(
    inputs: DoctorInputs, target: Target, known: TargetSettings, where: str, environ: Mapping[str, str]
) -> Origin:
    if target.credentials:
        return Origin(name="credentials", value=target.credentials.type, source=f"{known.file}: credentials")
    if target.password is None:
        return Origin(name="password", value=None, source="none is given")
    value = f"set, for user {target.username}" if target.username else "set"
    source = "REDISCLI_AUTH"
    if "://" in where and parse_target(where, environ={}).password:
        source = "the URL"
    elif known.name and "://" not in where and (found := known.password or known.url_source):
        source = found.where + (f" {found.env}" if found.env else "")
    elif inputs.password_file:
        source = "--password-file"
    return Origin(name="password", value=value, source=source)


def _model(inputs: DoctorInputs, environ: Mapping[str, str]) -> Iterator[Origin]:
    use = choose(inputs.model, environ)
    yield Origin(name="model", value=use.name, source=use.why or NOWHERE)
    if use.name == OFFLINE:
        return
    azure = at_azure(environ)
    variable, key = (
        ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY") if azure else ("OPENAI_BASE_URL", "OPENAI_API_KEY")
    )
    place = environ.get(variable)
    yield Origin(name="model's "
        "endpoint", value=_without_query(hide_secrets(place)) if place else "https://api.openai.com/v1",
                 source=variable if place else NOWHERE)  # fmt: skip
    yield Origin(name="model's key", value="set" if environ.get(key) else None, source=key)


def _without_query(url: str) -> str:
    """A URL without its query, which may contain keys under any name."""
    head, mark, _ = url.partition("?")
    return f"{head}?***" if mark else head


def _rest(inputs: DoctorInputs, target: Target | None, environ: Mapping[str, str]) -> Iterator[Origin]:
    source = "--prometheus" if inputs.prometheus else None
    if source is None and target and (known := settings_for(target)).past:
        source = str(known.file)
    if source is None and environ.get("REDIAGNOSE_PROMETHEUS"):
        source = "REDIAGNOSE_PROMETHEUS"
    yield Origin(name="Prometheus", value="set" if source else None, source=source or "none is named")
    yield Origin(name="runbooks", value=str(inputs.runbooks or "the bundled ones"),
                 source="--runbooks" if inputs.runbooks else NOWHERE)  # fmt: skip
    try:
        audit = str(inputs.audit or audit_path())
    except RediagnoseError as error:
        audit = str(error)
    state = "XDG_STATE_HOME" if environ.get("XDG_STATE_HOME") else NOWHERE
    yield Origin(name="audit log", value=audit, source="--audit" if inputs.audit else state)
