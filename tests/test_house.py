"""The house: who imports whom, and what the wheel brings."""

import ast
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from evals.house import ARCHITECTURE, circles, upward
from evals.readme import README, architecture, written

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {"tools": set(), "agent": {"tools"}, "evals": {"agent", "tools"}}
ROOMS = ("agent", "evals", "prompts", "runbooks", "tools")
LAZY = {"openai", "prompt_toolkit", "redis", "starlette", "uvicorn"}
"""Loaded on first use: they cost the start-up too much."""


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_import_only_what_they_may(room: str) -> None:
    modules = sorted((ROOT / room).rglob("*.py"))
    assert modules
    rooms = {"agent", "evals", "tools", "rediagnose", "tests"}
    wrong = {str(path): found for path in modules if (found := imported(path) & rooms - MAY_IMPORT[room] - {room})}
    assert not wrong


def test_a_room_imports_only_rooms_below_it_and_nothing_itself_in_a_circle() -> None:
    assert list(upward()) == []
    assert circles() == []


def test_help_loads_nothing_heavy() -> None:
    shown = "import sys, rediagnose; rediagnose.main(['--help']); print(*sorted(sys.modules))"
    loaded = set(run(sys.executable, "-c", shown, cwd=ROOT).stdout.split())
    assert "agent.cli.program" in loaded
    assert not loaded & (LAZY | {"pydantic", "rich", "yaml", "psutil", "hiredis"})


def test_the_checks_alone_load_nothing_of_a_model_a_recording_or_a_terminal() -> None:
    shown = "import sys, agent.cli.triage, agent.cli.inputs; print(*sorted(sys.modules))"
    loaded = set(run(sys.executable, "-c", shown, cwd=ROOT).stdout.split())
    assert "agent.investigation.investigation" in loaded
    unused = {"httpx2", "rich", "yaml", "tenacity", "agent.loop", "agent.model.client", "tools.record", "agent.tickets"}
    assert not loaded & unused


def test_modules_stay_readable() -> None:
    lengths = {path: len(path.read_text().splitlines()) for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py")}
    assert {str(path): length for path, length in lengths.items() if length > 300} == {}


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_wheel_keeps_the_rooms_private(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"_rediagnose", "rediagnose.py"}
    data = ("gate/policy.toml", "connection/allowed.toml", "host/log_patterns.toml", "host/host_script.sh", "prose.txt")
    others = ("runbooks/connection-timeouts.md", "evals/scoring/page.css", "prompts/system.md")
    for needed in (*(f"tools/{name}" for name in data), *others):
        assert f"_rediagnose/{needed}" in names
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]


def test_sdist_brings_the_tests(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "requirements.lock", "tests/test_house.py", "Makefile"} <= names


def test_wheel_runs_in_a_fresh_environment(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    environment = tmp_path / "fresh"
    # The pinned dependencies are already installed for the tests; only our own wheel has to be new there.
    assert run(sys.executable, "-m", "venv", "--without-pip", str(environment), cwd=tmp_path).returncode == 0
    fresh = str(environment / "bin" / "python")
    pip = (sys.executable, "-m", "pip", "--python", fresh, "install", "--quiet", "--no-compile")
    done = run(*pip, "--no-deps", "--no-index", str(wheel), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (site,) = (environment / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(f"{Path(pytest.__file__).resolve().parent.parent}\n")
    program = str(environment / "bin" / "rediagnose")
    version = run(program, "--version", cwd=tmp_path)
    assert version.stdout.startswith("rediagnose "), version.stderr
    refused = run(program, "triage", "redis://127.0.0.1:1", "is it down?", "--model", "offline", cwd=tmp_path)
    assert refused.returncode == 0, refused.stderr
    assert refused.stdout.startswith("Redis isn't running.\n97% sure: process-down at 127.0.0.1:1.")
    shown = run(fresh, "-c", "import rediagnose; rediagnose.main(['--version']); import agent; print(agent.__file__)",
                cwd=tmp_path)  # fmt: skip
    assert str(site) in shown.stdout


def test_readme_says_what_the_program_says() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == written(text), "run: python -m evals.readme"
    for name in ("commands", "options", "causes", "transcript", "chat"):
        assert f"<!-- {name} -->" in text


def test_architecture_draws_the_house_as_it_is() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    assert text == architecture(text), "run: python -m evals.readme"
