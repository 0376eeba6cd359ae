"""A folder's rediagnose.toml names targets and rules; where a credential goes it says only once it's trusted."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.cli.annotate import service_of
from agent.tickets.notify import webhooks
from agent.tickets.reading import read_ticket
from tests.program import Done
from tests.ticketing import TICKETS
from tools.connection.target import Tls
from tools.errors import UsageError
from tools.settings.file import load_settings
from tools.settings.tables import Settings
from tools.settings.trust import is_trusted, trust

PLAIN = '[[targets]]\nname = "a"\nurl = "redis://127.0.0.1:1"\nmatch = { env = "prod" }\ntext = "shop"\n'


def of(folder: Path, text: str) -> Settings:
    (folder / "rediagnose.toml").write_text(text)
    return load_settings(environ={}, folder=folder)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_an_untrusted_target_is_reached_without_a_password(tmp_path: Path) -> None:
    (target,) = of(tmp_path, PLAIN).targets
    reached = target.connectable(Tls(), environ={})
    assert (reached.node, reached.password) == ("127.0.0.1:1", None)
    with pytest.raises(UsageError, match="rediagnose trust"):
        target.connectable(Tls(), environ={"REDISCLI_AUTH": "hush"})
    with pytest.raises(UsageError, match="rediagnose trust"):
        target.connectable(Tls(), tmp_path / "pw", environ={})


@pytest.mark.parametrize("key", [
    'password_env = "GITHUB_TOKEN"', 'password_file = "~/.ssh/id_ed25519"', 'credentials = "entra"', 'cacert = "ca"',
    'cert = "c"\nkey = "k"', 'prometheus = "http://u:p@evil.example"',
])  # fmt: skip
def test_an_untrusted_target_with_a_credential_is_not_reached(tmp_path: Path, key: str) -> None:
    text = PLAIN + key + "\n"
    (target,) = of(tmp_path, text).targets
    with pytest.raises(UsageError, match="rediagnose trust"):
        target.connectable(Tls(), environ={"GITHUB_TOKEN": "hush"})
    trust(tmp_path / "rediagnose.toml", text.encode())
    of(tmp_path, text).targets[0].must_be_trusted()
    # Any change takes it back.
    with pytest.raises(UsageError, match="rediagnose trust"):
        of(tmp_path, text + "\n").targets[0].must_be_trusted(("name",))


@pytest.mark.parametrize("url", ["rediss://a?ssl_cert_reqs=none", "rediss://a?ssl_certfile=c&ssl_keyfile=k"])
def test_an_untrusted_url_says_nothing_about_tls(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="rediagnose trust"):
        of(tmp_path, f'[[targets]]\nurl = "{url}"\n').targets[0].connectable(Tls(), environ={})


def test_an_untrusted_variable_is_not_read_as_a_url(tmp_path: Path) -> None:
    (target,) = of(tmp_path, '[[targets]]\nname = "a"\nurl_env = "HOME"\n').targets
    assert target.target is None
    with pytest.raises(UsageError, match="rediagnose trust"):
        target.connectable(Tls(), environ={"HOME": "redis://:hush@b"})


def test_an_untrusted_file_says_not_where_tokens_go(tmp_path: Path) -> None:
    settings = of(tmp_path, '[github]\napi = "https://evil.example"\n[[notify]]\nname = "n"\nurl_env = "W"\n')
    with pytest.raises(UsageError, match="rediagnose trust"):
        service_of(read_ticket(str(TICKETS / "github_issue.json")), settings, 1.0)
    with pytest.raises(UsageError, match="rediagnose trust"):
        webhooks(("n",), settings, {"W": "https://evil.example"})


def test_what_is_another_persons_or_anybodys_is_not_the_persons_own(tmp_path: Path) -> None:
    own = tmp_path / ".config" / "rediagnose" / "rediagnose.toml"
    own.parent.mkdir(parents=True)
    text = PLAIN + 'password_env = "PW"\n'
    own.write_text(text)

    def reaches() -> bool:
        try:
            load_settings(environ={"HOME": str(tmp_path)}, folder=tmp_path).targets[0].must_be_trusted()
        except UsageError:
            return False
        return True

    assert reaches()
    own.chmod(0o666)
    assert not reaches()
    own.rename(tmp_path / "elsewhere.toml")
    own.symlink_to(tmp_path / "elsewhere.toml")
    os.chmod(tmp_path / "elsewhere.toml", 0o600)
    assert not reaches()


def test_a_mark_that_others_can_write_trusts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "rediagnose.toml"
    trust(file, b"x")
    assert is_trusted(file, b"x") and not is_trusted(file, b"y") and not is_trusted(tmp_path / "other", b"x")
    (mark,) = (tmp_path / "state" / "rediagnose" / "trusted").iterdir()
    mark.chmod(0o666)
    assert not is_trusted(file, b"x")


@pytest.mark.parametrize("key", ["url_file", "cacert"])
def test_a_file_of_the_folder_that_decides_is_trusted_with_it(tmp_path: Path, key: str) -> None:
    file, named, mounted = tmp_path / "a" / "rediagnose.toml", tmp_path / "a" / "beside", tmp_path / "mounted"
    file.parent.mkdir()
    content = f'[[targets]]\nname = "a"\n{key} = "beside"\n'.encode()
    trust(file, content)
    assert is_trusted(file, content)
    named.write_text("redis://here")
    assert not is_trusted(file, content)
    trust(file, content)
    assert is_trusted(file, content)
    named.write_text("redis://evil.example")
    assert not is_trusted(file, content)
    # What lies elsewhere isn't the folder's to change.
    elsewhere = f'[[notify]]\nname = "a"\n{key} = "{mounted}"\n'.encode()
    mounted.write_text("1")
    trust(file, elsewhere)
    mounted.write_text("2")
    assert is_trusted(file, elsewhere)


def test_the_command_shows_what_it_trusts(
    tmp_path: Path, program: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    text = PLAIN + 'password_env = "PW"\n[github]\napi = "https://git.example"\n'
    (tmp_path / "rediagnose.toml").write_text(text)
    done = program("trust")
    assert done.status == 0 and "a: redis://127.0.0.1:1, by password_env" in done.out
    assert "github: https://git.example, by api" in done.out
    assert program("trust", "--list").out.strip() == str(tmp_path / "rediagnose.toml")
    assert is_trusted(tmp_path / "rediagnose.toml", text.encode())
    assert program("trust", "--revoke").status == 0
    assert not is_trusted(tmp_path / "rediagnose.toml", text.encode())
    assert (program("trust", "--revoke").status, program("trust", "missing.toml").status) == (1, 2)
