"""`rediagnose runbooks`: list them, show one, check them or a folder of your own, begin a new one."""

import sys
from pathlib import Path

from agent.cli.program import ANSWERED, FAILED
from agent.cli.setup_inputs import RunbooksInputs
from agent.runbooks.frame import frame
from agent.runbooks.library import BUNDLED, load
from agent.runbooks.lint import lint
from tools.errors import UsageError
from tools.text import one_line


def runbooks(inputs: RunbooksInputs) -> int:
    """List, show, check or begin one. Raises `UsageError` for a name or folder that doesn't exist."""
    if inputs.verb == "list" and inputs.name is not None:
        raise UsageError(f"list {one_line(inputs.name, 60)!r}: the list takes no name; write `rediagnose runbooks show "
                         f"{one_line(inputs.name, 60)}`")  # fmt: skip
    if inputs.verb in ("show", "new") and not inputs.name:
        raise UsageError(f"{inputs.verb}: which one? `rediagnose runbooks list` prints the names")
    if inputs.verb == "check":
        return check(Path(inputs.name) if inputs.name else BUNDLED)
    library = load()
    if inputs.verb == "new":
        print(frame(inputs.name or "", library), end="")
        return ANSWERED
    if inputs.verb == "list":
        for book in library.runbooks:
            print(f"{book.name}: {book.title}")
            print("".join(f"  {cause}\n" for cause in book.causes), end="")
        return ANSWERED
    found = library.text(inputs.name or "")
    if found is None:
        known = ", ".join(known.name for known in library.runbooks)
        raise UsageError(f"runbooks show {inputs.name or ''}: there is no such runbook or cause; there are {known}")
    sys.stdout.write(found)
    return ANSWERED


def check(folder: Path) -> int:
    """Print the problems, one line each, and what was examined; 1 if any is an error."""
    books, findings = lint(folder)
    for finding in findings:
        print(one_line(str(finding)))
    wrong = {finding.file for finding in findings if finding.error}
    for book in books:
        if book.path not in wrong:
            print(one_line(f"{book.path}: {len(book.causes)} causes, ok"))
    errors = sum(finding.error for finding in findings)
    if findings:
        print(f"{errors} errors, {len(findings) - errors} warnings")
    return FAILED if errors else ANSWERED
