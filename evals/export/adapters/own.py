"""This program as the agent of an exported task.

python -m evals.export.adapters.own DIR [--arm offline]       from DIR's recording, as `rediagnose eval` does
python -m evals.export.adapters.own --served [--arm offline]  from what is served, as for any other agent
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from agent.answer.diagnosis import Diagnosis, ModelUse
from agent.investigation.model_settings import ModelSettings
from agent.recordings.replay import case, on_virtual_time
from evals.export.answer import answer_of, write
from evals.scoring.arm import arms
from tools.errors import UsageError
from tools.record.load import load
from tools.record.tape import Tape

PROGRAM = Path(__file__).resolve().parents[3] / "rediagnose.py"


async def recorded(path: Path, ticket: str, name: str) -> Diagnosis:
    """What an arm answers to a recording."""
    (arm,) = arms([name], os.environ)
    model = ModelSettings(use=ModelUse(name=arm.model), bare=arm.bare)
    async with case(Tape(load(path)), ticket, model) as incident:
        return incident.answer()


async def served(url: str, ticket: str, name: str) -> Diagnosis:
    """What the command line answers about a server."""
    command = [sys.executable, "-m", "rediagnose", "triage", url, ticket, "--format", "json", "--approve", "never"]
    process = await asyncio.create_subprocess_exec(
        *command, "--model", name, stdout=asyncio.subprocess.PIPE, cwd=PROGRAM.parent
    )
    out, _ = await process.communicate()
    return Diagnosis.model_validate_json(out)


def main(argv: list[str], folder: Path) -> int:
    """Answer into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exported", nargs="?", type=Path, metavar="DIR")
    parser.add_argument("--served", action="store_true")
    parser.add_argument("--arm", default="offline", metavar="NAME")
    given = parser.parse_args(argv)
    ticket = os.environ["TICKET"]
    if given.served:
        answer = asyncio.run(served(os.environ["REDIS_URL"], ticket, given.arm))
    elif given.exported is None:
        raise UsageError("give the exported folder, or --served")
    else:
        path = given.exported / "recordings" / f"{os.environ['TASK']}.jsonl.gz"
        answer = on_virtual_time(recorded(path, ticket, given.arm))
    write(folder, answer_of(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
