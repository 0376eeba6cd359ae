"""What Prometheus reads: names escaped, few series however much is found, and rules and dashboard that fit it."""

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from agent.fleet.records import FoundCause, Level, Line, Preventive
from agent.watch.metrics import MOST_PREVENTIVE, metrics_text
from evals.lab.servers import free_port
from tests.prometheus import needs_prometheus, program
from tools.past.store import Checked, Look, Store

ALERTS = Path(__file__).resolve().parents[3] / "docs" / "alerts"
NOW = 1_800_000_000.0
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="apt-get install prometheus")


def line(name: str, level: Level = "healthy", **given: Any) -> Line:
    return Line(name=name, url=None, level=level, said="", **given)


def cause(id: str, probability: float, where: str = "10.0.0.7:6379") -> FoundCause:
    return FoundCause(id=id, probability=probability, where=where, why="")


def soon(id: str, seconds: float | None = None, node: str = "10.0.0.7:6379") -> Preventive:
    return Preventive(id=id, what="", node=node, seconds=seconds, rank=1, evidence=())


def kept(tmp_path: Path, *lines: Line, looks: tuple[Look, ...] = (), at: float = NOW) -> Store:
    store = Store(tmp_path / "past.db")
    store.keep_checks([Checked(one.name, at, one.level, one.model_dump_json(), one.level) for one in lines])
    store.keep([], [*(Look(one.name, at, True) for one in lines), *looks])
    return store


def series(store: Store) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics_text(store)) for sample in family.samples
    }  # fmt: skip


def test_each_target_has_its_level_its_causes_and_what_is_ahead(tmp_path: Path) -> None:
    store = kept(
        tmp_path, line("orders", "incident", causes=(cause("maxclients-exhausted", 0.97),)),
        line("cache", "preventive", preventive=(soon("memory-fills-up", 7200), soon("version-known-bad"))),
        looks=(Look("down", NOW, False),),
    )  # fmt: skip
    found = series(store)
    node = ("node", "10.0.0.7:6379")
    levels = {labels: value for (name, labels), value in found.items() if name == "rediagnose_target_level"}
    assert len(levels) == 8 and sum(levels.values()) == 2
    assert levels[("level", "incident"), ("target", "orders")] == 1
    assert (
        found["rediagnose_finding_probability", (("finding", "maxclients-exhausted"), node, ("target", "orders"))]
        == 0.97
    )
    ahead = (("finding", "memory-fills-up"), node, ("target", "cache"))
    assert found["rediagnose_preventive_finding", ahead] == 1
    # As of now, and the check was long ago.
    assert found["rediagnose_preventive_finding_seconds", ahead] >= 0
    assert (
        "rediagnose_preventive_finding_seconds",
        (("finding", "version-known-bad"), node, ("target", "cache")),
    ) not in found
    assert found["rediagnose_target_reachable", (("target", "down"),)] == 0
    assert found["rediagnose_target_last_check_timestamp_seconds", (("target", "orders"),)] == NOW
    assert ("rediagnose_target_last_check_timestamp_seconds", (("target", "down"),)) not in found


def test_a_name_cannot_leave_its_label_and_much_that_is_found_makes_few_series(tmp_path: Path) -> None:
    nasty = 'a"} 1\nrediagnose_target_level{target="b"} \\ \x1b[31m' + "x" * 200
    ahead = tuple(soon(f"made-up-{index}", index, node) for index in range(50) for node in ("a:1", "b:1", "b:1"))
    found = series(kept(tmp_path, line(nasty, "preventive", preventive=ahead)))
    targets = {dict(labels)["target"] for _, labels in found}
    assert len(targets) == 1 and len(targets.pop()) <= 64
    assert sum(name == "rediagnose_preventive_finding" for name, _ in found) == MOST_PREVENTIVE


def test_a_line_of_another_version_is_left_out(tmp_path: Path) -> None:
    store = kept(tmp_path, line("orders", "incident", causes=(cause("oom-killed", 0.9),)))
    store.keep_checks([Checked("orders", NOW, "incident", '{"name": "orders", "news": 1}', "x")])
    assert not any(name == "rediagnose_finding_probability" for name, _ in series(store))


@pytest.mark.live
@needs_promtool
def test_the_alert_rules_do_what_their_tests_say() -> None:
    for command in (("check", "rules", "rediagnose.rules.yml"), ("test", "rules", "rediagnose.tests.yml")):
        done = subprocess.run(["promtool", *command], cwd=ALERTS, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.live
@needs_promtool
def test_the_alert_tests_notice_a_rule_that_is_changed(tmp_path: Path) -> None:
    rules = (ALERTS / "rediagnose.rules.yml").read_text()
    (tmp_path / "rediagnose.tests.yml").write_text((ALERTS / "rediagnose.tests.yml").read_text())
    for old, new in (
        ("for: 20m", "for: 1m"), ("(rediagnose_finding_probability) >= 0.9", "(rediagnose_finding_probability) >= 0.4"),
        ("expr: rediagnose_target_reachable == 0", "expr: rediagnose_target_reachable == 1"),
        ("< 86400\n        for", "< 8640000\n        for"), ("> 900", "> 90"), ("severity: ticket", "severity: page"),
        ('{level="unanswered"} == 1 and', '{level="unanswered"} == 1 or'),
        ("            unless on (target) (rediagnose_finding_probability >= 0.9)\n", ""),
    ):  # fmt: skip
        assert old in rules, old
        (tmp_path / "rediagnose.rules.yml").write_text(rules.replace(old, new))
        done = subprocess.run(
            ["promtool", "test", "rules", "rediagnose.tests.yml"], cwd=tmp_path, capture_output=True, timeout=300
        )
        assert done.returncode != 0, (old, new)


def test_every_alert_is_tested_to_fire_and_not_to_and_none_about_the_future_pages() -> None:
    rules = {
        one["alert"]: one for one in yaml.safe_load((ALERTS / "rediagnose.rules.yml").read_text())["groups"][0]["rules"]
    }
    tested = [one for test in yaml.safe_load((ALERTS / "rediagnose.tests.yml").read_text())["tests"]
              for one in test["alert_rule_test"]]  # fmt: skip
    for name, rule in rules.items():
        assert {bool(one["exp_alerts"]) for one in tested if one["alertname"] == name} == {True, False}, name
        if "preventive" in rule["expr"]:
            assert rule["labels"]["severity"] == "ticket", name


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ALERTS / "rediagnose.dashboard.json").read_text())
    return found


def queries() -> list[str]:
    return [target["expr"].replace("$target", ".*") for panel in dashboard()["panels"] for target in panel["targets"]]


def test_the_dashboard_is_whole(tmp_path: Path) -> None:
    board = dashboard()
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) and board["uid"] and board["schemaVersion"] >= 36
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24
        taken |= cells
        assert panel["title"] and panel["description"] and panel["datasource"]["uid"] == "${datasource}"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    everything = kept(
        tmp_path, line("x", "incident", causes=(cause("oom-killed", 1),), preventive=(soon("memory-fills-up", 1),))
    )
    exported = {name for name, _ in series(everything)}
    used = set(re.findall(r"rediagnose_\w+", json.dumps([*queries(), board["templating"]])))
    rules = set(re.findall(r"rediagnose_\w+", " ".join(
        one["expr"] for one in yaml.safe_load((ALERTS / "rediagnose.rules.yml").read_text())["groups"][0]["rules"]
    )))  # fmt: skip
    assert used <= exported and rules <= exported and exported <= used | rules


@pytest.mark.live
@needs_prometheus
async def test_a_real_prometheus_scrapes_it_and_answers_the_dashboards_questions(tmp_path: Path) -> None:
    store = kept(
        tmp_path, line("orders", "incident", causes=(cause("maxclients-exhausted", 0.97), cause("oom-killed", 0.5))),
        line("cache", "preventive", preventive=(soon("memory-fills-up", 10_000_000_000), soon("version-known-bad"))),
        line('odd "name"\\'), looks=(Look("down", NOW, False),), at=NOW,
    )  # fmt: skip

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = metrics_text(store).encode()
        head = f"Content-Type: text/plain; version=0.0.4\r\nConnection: close\r\nContent-Length: {len(body)}"
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    scraped, port = server.sockets[0].getsockname()[1], free_port()
    with tempfile.TemporaryDirectory(prefix="prometheus-") as name:
        folder = Path(name)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files: ['{ALERTS / 'rediagnose.rules.yml'}']\n"
            f"scrape_configs: [{{job_name: rediagnose, static_configs: [{{targets: ['127.0.0.1:{scraped}']}}]}}]\n"
        )
        arguments = [
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        async with server, program("prometheus", *arguments, port=port, folder=folder), httpx2.AsyncClient() as client:
            url = f"http://127.0.0.1:{port}/api/v1"

            async def ask(expression: str) -> list[Any]:
                answer = (await client.get(f"{url}/query", params={"query": expression})).json()
                assert answer["status"] == "success", (expression, answer)
                result: list[Any] = answer["data"]["result"]
                return result

            async with asyncio.timeout(30):
                while not await ask("rediagnose_target_reachable"):
                    await asyncio.sleep(0.2)
                while len((await client.get(f"{url}/alerts")).json()["data"]["alerts"]) < 3:
                    await asyncio.sleep(0.2)
            for expression in queries():
                assert await ask(expression), expression
            assert {one["metric"]["target"] for one in await ask("rediagnose_target_level")} == {
                "orders",
                "cache",
                'odd "name"\\',
            }
            raised = {
                one["labels"]["alertname"] for one in (await client.get(f"{url}/alerts")).json()["data"]["alerts"]
            }
            assert {"RedisCertain", "RedisUnreachable", "RedisNeedsAttention"} <= raised
