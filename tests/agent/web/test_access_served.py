"""`rediagnose serve` itself behind its guard: every route it has, as it's started."""

import re
from pathlib import Path

import httpx2
import psutil

from tests.agent.web.guarded_app import APPROVER, ENVIRON, READER, SENDER, TOKENS
from tests.served import desk

OPEN = {"/healthz", "/readyz"}


async def test_every_route_is_for_those_who_may(tmp_path: Path) -> None:
    async with desk(tmp_path) as place:
        place.settings(TOKENS)
        place.environ |= ENVIRON
        served = await place.serve("--model", "offline")
        found = re.search(r"open {2}(\S+)", served.said[-1])
        assert found and "token" not in found[1], "whoever has a token needs none of the start"
        async with httpx2.AsyncClient(headers={"Host": "sre.example.org"}, verify=False, trust_env=False) as client:
            base = await _base(client, served.process.pid)

            async def status(method: str, path: str, token: str | None = None, **headers: str) -> int:
                given = headers | ({"Authorization": f"Bearer {token}"} if token else {})
                content = b"{}" if method == "POST" else None
                given |= {"Content-Type": "application/json"} if content else {}
                return (await client.request(method, base + path, headers=given, content=content)).status_code

            described = await client.get(f"{base}/openapi.json", headers={"Authorization": f"Bearer {READER}"})
            paths = described.json()["paths"].items()
            routes = [(method.upper(), path.replace("{id}", "x")) for path, methods in paths for method in methods]
            assert len(routes) >= 8
            routes += [("GET", "/metrics"), ("GET", "/openapi.json"), ("POST", "/incidents/x/decisions")]
            for method, path in routes:
                if path in OPEN or path.startswith("/v1/webhooks/"):
                    continue
                assert await status(method, path) == 401, path
                assert await status(method, path, "x" * 40) in (401, 429), path
                assert await status(method, path, READER, Host="evil.example") == 421, path
                allowed = {
                    READER: method == "GET" or path.endswith(("/feedback", "/questions")), APPROVER: True,
                    SENDER: (method, path) == ("POST", "/v1/incidents"),
                }  # fmt: skip
                for token, may in allowed.items():
                    if not path.endswith("/events"):
                        assert (await status(method, path, token) != 403) is may, (method, path, token)


async def _base(client: httpx2.AsyncClient, pid: int) -> str:
    """Where the process listens; its own words only name what a proxy before it is called."""

    (port,) = {one.laddr.port for one in psutil.Process(pid).net_connections("tcp") if one.status == psutil.CONN_LISTEN}
    return f"http://127.0.0.1:{port}"
