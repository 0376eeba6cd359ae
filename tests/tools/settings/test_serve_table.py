"""The tables that say who may use the service: what is wrong with them, and that no other file decides it."""

from pathlib import Path

import pytest

from tools.errors import UsageError
from tools.settings.parsing import parse_settings
from tools.settings.serve_table import is_private

FILE = Path("/etc/team/rediagnose.toml")
TOKEN = '[[serve.token]]\nname = "am"\nroles = ["sender"]\n'


@pytest.mark.parametrize(("text", "why"), [
    ('[serve]\nhosts = ["http://sre.example.org"]\n', "serve: hosts: not a list of host names"),
    ('[serve]\nhosts = ["*"]\n', "serve: hosts: not a list of host names"),
    ('[serve]\nhosts = ["a b"]\n', "serve: hosts: not a list of host names"),
    ('[serve]\nproxies = ["proxy"]\n', "serve: proxies: not a list of addresses"),
    ('[serve]\nhttps = "no"\n', "serve: https: not true or false; write true or false"),
    (TOKEN, "sha256: missing"),
    (f'{TOKEN}sha256 = "abc"\n', "sha256: not 64 hexadecimal digits"),
    (f'{TOKEN}sha256 = "{"a" * 64}"\ntoken_env = "X"\n', "sha256: given as well"),
    (f'{TOKEN.replace("sender", "admin")}token_env = "X"\n', 'roles: not a list of "reader"'),
    (TOKEN.replace('"am"', '"a m"') + 'token_env = "X"\n', "name: not letters"),
    (f'{TOKEN}token_env = "X"\n{TOKEN}token_env = "Y"\n', "the name 'am' appears 2 times"),
    (f'{TOKEN}token = "in the file"\n', "token: unknown key"),
    ('[serve.oidc]\nissuer = "https://x"\nclient_id = "y"\nclient_secret = "in the file"\n', "secret: unknown key"),
])  # fmt: skip
def test_what_is_wrong_is_named_with_the_remedy(text: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_settings(FILE, text.encode(), {})
    assert why in str(refused.value) and "in the file" not in str(refused.value)


@pytest.mark.parametrize("token", ["short", "x" * 31, "with spaces in it, and long enough for it", "ä" * 40])
def test_a_token_that_could_be_guessed_or_sent_by_no_header_is_refused(token: str) -> None:
    settings = parse_settings(FILE, f'{TOKEN}token_env = "X"\n'.encode(), {})
    with pytest.raises(UsageError, match="at least 32 plain characters") as refused:
        settings.serve.token[0].secret({"X": token})
    assert token not in str(refused.value)


def test_a_file_that_isnt_trusted_decides_nothing() -> None:
    settings = parse_settings(FILE, f'{TOKEN}token_env = "X"\n'.encode(), {}, trusted=False)
    with pytest.raises(UsageError, match="who may use the service"):
        settings.serve.must_be_trusted()
    assert "serve: who may use the service, by token" in settings.destinations()


def test_which_address_nobody_on_the_way_reads() -> None:
    good = ("https://x", "https://x:8443/y", "http://127.0.0.1:1", "http://localhost/", "http://[::1]:80/")
    bad = (
        "http://x",
        "ftp://127.0.0.1",
        "https://u@x",
        "https://",
        "",
        "x",
        "http://127.0.0.1.evil.example",
        "https://[",
    )
    assert all(map(is_private, good)) and not any(map(is_private, bad))
