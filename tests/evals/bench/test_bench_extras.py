"""What each extra adds, by what is installed here."""

import tomllib

from evals.bench.extras import APART, extras
from tests.program import ROOT


def test_each_extra_is_counted_by_what_the_core_lacks() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    found = {one.name: one for one in extras()}
    assert set(found) == set(declared) - set(APART)
    assert {"dbos", "starlette", "sqlalchemy"} <= set(found["serve"].packages)
    assert "slack-bolt" in found["slack"].packages and found["slack"].bytes > 2**20
    assert not {"redis", "openai", "pydantic", "rediagnose"} & {name for one in found.values() for name in one.packages}
