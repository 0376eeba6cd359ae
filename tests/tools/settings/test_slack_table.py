"""The table [slack]: each key checked, and nothing said by a file that isn't trusted."""

import re
from pathlib import Path

import pytest

from tools.errors import UsageError
from tools.settings.parsing import parse_settings
from tools.settings.slack_table import SlackTable

FILE = Path("/etc/team/rediagnose.toml")
DOCS = Path(__file__).resolve().parents[3] / "docs" / "slack.md"
HEAD = '[slack]\nbot_token_env = "BOT"\napp_token_env = "APP"\n'
CHANNEL = '[[slack.channel]]\nid = "C0123456789"\n'
APPROVE = '[[slack.approve]]\nusers = ["U0123456789"]\n'
TARGET = '[[targets]]\nname = "orders"\nurl = "redis://127.0.0.1:1"\n'


def read(text: str, *, trusted: bool = True) -> SlackTable:
    return parse_settings(FILE, text.encode(), {}, trusted=trusted).slack


def test_the_settings_of_the_docs() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    table = read(example + TARGET)
    assert table.is_set and table.channel[0].target == "orders" and table.approve[0].four_eyes
    assert table.app_token is not None and table.signing_secret is None


def test_without_it_there_is_no_app() -> None:
    assert not read("").is_set and read("").deciding() == []


def test_who_may_approve_depends_on_the_target() -> None:
    oncall = '[[slack.approve]]\ntargets = ["Orders"]\ngroups = ["S0123456789"]\n'
    table = read(HEAD + CHANNEL + APPROVE + oncall + TARGET)
    assert len(table.approval_of("orders")) == 2 and len(table.approval_of("carts")) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[slack]\napp_token_env = "APP"\n' + CHANNEL, "bot_token_env: missing"),
        ('[slack]\nbot_token_env = "BOT"\n' + CHANNEL, "app_token_env: missing"),
        (HEAD, "channel: none"),
        (HEAD + CHANNEL + CHANNEL, "appears 2 times"),
        (HEAD + '[[slack.channel]]\nid = "#orders"\n', "not the id of a channel"),
        (HEAD + CHANNEL + "[[slack.approve]]\nfour_eyes = true\n", "nobody could approve"),
        (HEAD + CHANNEL + '[[slack.approve]]\nusers = ["ann"]\n', "never are names"),
        (HEAD + CHANNEL + '[[slack.approve]]\ngroups = ["U0123456789"]\n', "never are names"),
        (HEAD + CHANNEL + 'target = "orders"\n', "no [[targets]] has the name 'orders'"),
        (HEAD + CHANNEL + APPROVE + 'targets = ["orders"]\n', "no [[targets]] has the name 'orders'"),
        (HEAD + 'api = "http://slack.com/api/"\n' + CHANNEL, "not the https address"),
        (HEAD + 'bot_token_file = "BOT"\n' + CHANNEL, "keep only one"),
        (HEAD + 'bot_token = "xoxb-1"\n' + CHANNEL, "bot_token"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        read(text)


def test_a_file_that_is_not_trusted_decides_nothing() -> None:
    table = read(HEAD + CHANNEL + APPROVE, trusted=False)
    with pytest.raises(UsageError, match="rediagnose trust"):
        table.must_be_trusted()
    with pytest.raises(UsageError, match="rediagnose trust"):
        _ = table.bot_token


def test_files_come_from_slacks_own_host_or_the_one_that_is_named() -> None:
    for api, origin in (("https://slack.com/api/", "https://files.slack.com"),
                        ("https://slack-gov.com/api", "https://files.slack-gov.com"),
                        ("http://127.0.0.1:5/api", "http://127.0.0.1:5")):  # fmt: skip
        assert read(HEAD + f'api = "{api}"\n' + CHANNEL).files_origin == origin
