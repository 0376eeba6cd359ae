"""`rediagnose trust`: let a folder's rediagnose.toml decide where credentials go, as long as it is unchanged."""

import os
from pathlib import Path

from agent.cli.program import ANSWERED, FAILED
from agent.cli.setup_inputs import TrustInputs
from tools.errors import UsageError
from tools.settings.parsing import parse_settings
from tools.settings.table import FILE
from tools.settings.trust import revoke, settings_bytes, trust, trusted_files
from tools.text import one_line, printable


def trust_(inputs: TrustInputs) -> int:
    """Trust a file, and print what it is trusted with. Raises `UsageError` for a file that can't be used."""
    file = inputs.file or Path(FILE)
    if inputs.list:
        if inputs.file is not None:
            raise UsageError(f"--list takes no file, and lists all; leave out {one_line(str(inputs.file), 60)}")
        for one in trusted_files():
            print(printable(str(one)))
        return ANSWERED
    if inputs.revoke:
        count = revoke(file)
        print(f"{file}: {'no longer trusted' if count else 'it was not trusted'}")
        return ANSWERED if count else FAILED
    try:
        content = settings_bytes(file)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; name the {FILE} to trust") from None
    settings = parse_settings(file, content, os.environ)
    trust(file, content)
    print(f"trusted: {printable(str(file.absolute()))}, until it changes. It says where credentials go:")
    for line in settings.destinations() or ["nowhere"]:
        print(f"  {printable(line)}")
    return ANSWERED
