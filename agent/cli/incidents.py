"""`rediagnose incidents`: what the service keeps, read from its database, whether it runs or not."""

import io
import json
import sys
import tarfile
from pathlib import Path

from agent.cli.program import ANSWERED, FAILED
from agent.cli.serve_inputs import IncidentsInputs
from agent.recordings.scenario_file import add_scenario
from agent.report.summary import headline
from agent.service.records import Incident
from agent.service.store import Store
from tools.clock import SystemClock
from tools.errors import UsageError
from tools.files import state_folder
from tools.gate.ledger import changes_path
from tools.text import one_line

EVENTS = 100_000
ARCHIVES = (".gz", ".tgz", ".tar")
"""How the name of an archive ends; any other is a folder's."""


def incidents(inputs: IncidentsInputs) -> int:
    """List, show or export. Raises `UsageError` for an id or a database that can't be used."""
    inputs.check()
    database = inputs.opened()
    database.prepare()
    store = Store(database, SystemClock())
    try:
        if inputs.verb == "list":
            return _list(inputs, store)
        if inputs.id is None:
            raise UsageError(f"incidents {inputs.verb}: which one? `rediagnose incidents list` prints the ids")
        if (found := store.incident(inputs.id)) is None:
            raise UsageError(f"{inputs.id!r}: there is no such incident; `rediagnose incidents list` prints the ids")
        return _show(inputs, store, found) if inputs.verb == "show" else _export(inputs, store, found)
    finally:
        database.close()


def _list(inputs: IncidentsInputs, store: Store) -> int:
    found = store.incidents(inputs.query)
    if inputs.format == "json":
        print(json.dumps([one.model_dump(mode="json", by_alias=True) for one in found], indent=2))
    else:
        for one in found:
            print(one_line(_line(one)))
        if not found:
            print("no incidents")
    sys.stdout.flush()
    return ANSWERED


def _line(one: Incident) -> str:
    said = headline(one.diagnosis) if one.diagnosis else one.problem or ""
    alerts = f" ({one.alerts} alerts)" if one.alerts > 1 else ""
    at = one.opened_at.strftime("%Y-%m-%d %H:%M")
    return f"{one.id}  {at}  {one.state:<10}  {one.target}: {one.title}{alerts}{'; ' if said else ''}{said}"


def _show(inputs: IncidentsInputs, store: Store, one: Incident) -> int:
    if inputs.format == "json":
        print(json.dumps(one.model_dump(mode="json", by_alias=True), indent=2))
    elif one.diagnosis is None:
        print(one_line(_line(one)))
    elif inputs.format == "html":
        from agent.report.page import html

        print(html(one.diagnosis), end="")
    elif inputs.format == "markdown":
        from agent.report.markdown import markdown

        print(markdown(one.diagnosis))
    else:
        from agent.report.text import text_lines

        print(one_line(f"{one.id}, {one.state}, {one.target}: {one.title}"))
        for line in text_lines(one.diagnosis):
            print(line.text)
        for other in store.similar(one):
            print(one_line(f"earlier: {_line(other)}"))
    sys.stdout.flush()
    return ANSWERED


def _export(inputs: IncidentsInputs, store: Store, one: Incident) -> int:
    file = inputs.output or Path(f"{one.id}.tar.gz")
    if file.is_dir() or file.suffix not in ARCHIVES:
        return _export_scenario(file, one)
    events = "".join(f"{event.model_dump_json()}\n" for event in store.events(one.id, 0, EVENTS))
    try:
        with tarfile.open(file, "x:gz") as archive:
            _add(archive, f"{one.id}/incident.json", one.model_dump_json(by_alias=True, indent=2))
            _add(archive, f"{one.id}/events.jsonl", events)
            for path in _recorded(one):
                archive.add(path, f"{one.id}/{path.name}", recursive=False)
    except FileExistsError:
        raise UsageError(f"{file}: it exists already; name another file with -o") from None
    except OSError as error:
        print(one_line(f"rediagnose incidents: {file}: {error.strerror or error}"), file=sys.stderr)
        return FAILED
    print(file)
    return ANSWERED


def _export_scenario(folder: Path, one: Incident) -> int:
    """Add it to a folder of scenarios. Raises `UsageError` if nobody said what it was."""
    if one.diagnosis is None or not (files := _recorded(one)):
        raise UsageError(f"{one.id}: its recording isn't on this machine; a folder as -o takes one that is")
    if (cause := _cause_of(one)) is None:
        how = "say so on its page, or by POST /v1/incidents/ID/feedback, then export it again"
        raise UsageError(f"{one.id}: nobody said yet what it was; {how}, or give -o FILE.tar.gz")
    try:
        print(add_scenario(folder, one.id, files[0], one.diagnosis, cause))
    except OSError as error:
        print(one_line(f"rediagnose incidents: {folder}: {error.strerror or error}"), file=sys.stderr)
        return FAILED
    return ANSWERED


def _cause_of(one: Incident) -> str | None:
    """What it was, by the last person who said so: a cause, or the answer if that was right."""
    assert one.diagnosis is not None
    answered = one.diagnosis.causes[0].id if one.diagnosis.causes else one.diagnosis.outcome
    said = (each.cause or (answered if each.verdict == "right" else None) for each in reversed(one.feedback))
    return next(filter(None, said), None)


def _recorded(one: Incident) -> list[Path]:
    """The recording and the log of its changes, as far as they are on this machine."""
    if one.recording is None:
        return []
    path = state_folder() / "service" / "recordings" / one.recording
    return [file for file in (path, changes_path(path)) if file.is_file()]


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    head = tarfile.TarInfo(name)
    head.size, head.mode = len(content), 0o600
    archive.addfile(head, io.BytesIO(content))
