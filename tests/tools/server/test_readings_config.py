"""Running values by name and by glob, on every server."""

import pytest

from evals.lab.servers import ServerKind, running
from tests.looking import looking
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.errors import ToolError
from tools.redact import Pseudonyms
from tools.server.config import MOST_MATCHED, config_get
from tools.toolbox import Toolbox, bind


async def test_globs_names_and_secrets(kind: ServerKind) -> None:
    async with running(kind, masterauth="se1cret", maxclients="77") as server, looking(server) as (node, _):
        some = await config_get(node, ["max*", "MAXCLIENTS", "nosuch", "masteraut?"])
        whole = await config_get(node, ["*"])
    assert some["MAXCLIENTS"] == "77" and some["nosuch"] is None
    assert {"maxmemory", "maxmemory-policy"} <= some.keys() and "maxclients" not in some
    assert all(field.startswith("max") or field in ("MAXCLIENTS", "nosuch", "masterauth") for field in some)
    assert some["masterauth"] == "***" and "se1cret" not in str(whole)
    assert len(whole) == MOST_MATCHED + 1 and isinstance(left := whole["left_out"], int) and left > 50


@pytest.mark.parametrize("glob", ["*a*a*", "max*\nSAVE", "", "x" * 65, "[a-z]*", "max* save"])
async def test_what_costs_too_much_is_refused(glob: str) -> None:
    node = Node(parse_target("redis://127.0.0.1:1", environ={}), SystemClock(), Budget(), Pseudonyms())
    toolbox = Toolbox([bind(config_get, node)], SystemClock(), lambda event: None)
    with pytest.raises(ToolError, match="config_get: parameters"):
        await toolbox.call("config_get", {"parameters": [glob]})
    assert not toolbox.readings
