"""What rediagnose.toml says, where it's found, and each mistake in it named with its remedy."""

from pathlib import Path

import pytest

from tools.connection.credentials import AwsIam, EntraId
from tools.connection.target import Target, Tls, parse_target
from tools.errors import UsageError
from tools.settings.file import load_settings, settings_for, target_named
from tools.settings.parsing import parse_settings
from tools.settings.target_table import HARMLESS

A = '[[targets]]\nurl = "redis://a"\n'
GOOD = """
[[targets]]
name = "orders"
url = "redis://Orders.example"
prometheus = "https://reader:pw@prometheus.example/"

[[targets]]
url = "unix:///run/redis.sock"
"""


def test_settings_of_a_target(tmp_path: Path) -> None:
    def of(url: str, **environ: str) -> tuple[str | None, str | None]:
        found = settings_for(parse_target(url, environ={}), environ=environ, folder=tmp_path)
        assert "pw" not in repr(found)
        return found.name, found.prometheus.get_secret_value() if found.prometheus else None

    assert of("redis://orders.example:6379") == (None, None)
    (tmp_path / "rediagnose.toml").write_text(GOOD)
    assert of("redis://:secret@orders.example:6379/3") == ("orders", "https://reader:pw@prometheus.example")
    assert of("unix:///run/redis.sock") == of("redis://orders.example:6380") == (None, None)
    (tmp_path / "other.toml").write_text('[[targets]]\nname = "o"\nurl = "redis://o"\n')
    assert of("redis://o", REDIAGNOSE_CONFIG=str(tmp_path / "other.toml")) == ("o", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("targets = [", "not TOML"),
        (f"a = {'[' * 20_000}", "not TOML"),
        (f"a = {'9' * 5000}", "more digits than"),
        ("[target]\n", r"target: unknown key; write \[\[targets\]\]"),
        ("targets = 3\n", "targets: not a list"),
        ('[[targets]]\nname = "a"\n', "targets 1: url: missing"),
        ('[[targets]]\nurl = "http://:hush@a"\n', "targets 1: url: "),
        ('[[targets]]\nurl = "redis://a"\nprom = "x"\n', "prom: unknown key; there are name, url"),
        ('[[targets]]\nurl = "redis://a"\nprometheus = "reader:hush@b"\n', "targets 1: prometheus: not the URL"),
        ('[[targets]]\nurl = "redis://a"\nname = 3\n', "name: not a text"),
        ('[[targets]]\nurl = "redis://a"\n[[targets]]\nurl = "redis://A:6379"\n', "appears 2 times"),
        ('[[targets]]\nurl = "redis://a"\nurl_env = "A"\n', "url: given as well as url_env"),
        ('[[targets]]\nname = "a"\n', "url: missing"),
        ('[[targets]]\nurl = "redis://a"\nmatch = "x"\n', "match: not a table"),
        ('[[targets]]\nurl = "redis://a"\nmatch = {}\n', "match: not a table"),
        ('[[targets]]\nurl = "redis://a"\nmatch = { env = 3 }\n', "match: env: not a text"),
        ('[[targets]]\nurl = "redis://a"\ntext = [""]\n', "text: not a text"),
        ('[[targets]]\nurl = "redis://a"\npassword = "x"\n', "password: unknown key"),
        ('[[targets]]\nurl = "redis://a"\npassword_env = "x"\npassword_file = "y"\n', "keep only one"),
        ('[[targets]]\nurl = "redis://a"\nname = "a"\n[[targets]]\nurl = "redis://b"\nname = "a"\n', "appears 2 times"),
        ('[[targets]]\nurl = "redis://a"\ntrust = ["10.0.0.0/99"]\n', "trust: not a list of networks"),
        ('[[targets]]\nurl = "redis://a"\ntrust = 10\n', "trust: not a list of networks"),
        ('[github]\ntoken = "x"\n', "token: unknown key"),
        ("[jira]\napi = 4\n", "api: 4 isn't 2 or 3; write 3 for Jira Cloud"),
        ("jira = 4\n", "jira: not a table"),
        (f'{A}credentials = "entr"\n', "targets 1: credentials: 'entr' isn't one of 'entra', 'aws-iam'; write cred"),
        (f"{A}credentials = 3\n", "credentials: not a text or a table; write credentials = "),
        (f"{A}credentials = {{}}\n", "credentials: no type in it; write credentials = "),
        (f'{A}credentials = "aws-iam"\n', "credentials: aws-iam: user: missing; write user = "),
        (f'{A}credentials = {{ type = "entra", x = 1 }}\n', "entra: x: unknown key; there are type, identity"),
        (f'{A}credentials = "entra"\npassword_env = "x"\n', "credentials: given as well as a password; keep only one"),
        ('[[notify]]\nname = "a"\nurl = "https://x"\n', "url: unknown key"),
        ('[[notify]]\nname = "a"\n', "url_env: missing"),
        ('[[notify]]\nurl_env = "A"\n', "name: missing"),
        ('[[notify]]\nname = "a"\nurl_env = "A"\nform = "xml"\n', "form: 'xml'"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "rediagnose.toml").write_text(text)
    with pytest.raises(UsageError, match=said) as failed:
        settings_for(parse_target("redis://a", environ={}), environ={}, folder=tmp_path)
    assert "rediagnose.toml" in str(failed.value) and "hush" not in str(failed.value)


def test_settings_that_are_named_and_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="REDIAGNOSE_CONFIG"):
        settings_for(parse_target("redis://a", environ={}), environ={"REDIAGNOSE_CONFIG": str(tmp_path / "none.toml")})


def test_the_nearer_file_comes_before_the_persons_own(tmp_path: Path) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    own = home / ".config" / "rediagnose" / "rediagnose.toml"
    own.parent.mkdir(parents=True)
    here.mkdir()
    own.write_text('[[targets]]\nname = "own"\nurl = "redis://a"\ncacert = "ca.pem"\n')

    def names(**environ: str) -> list[str | None]:
        return [one.name for one in load_settings(environ=environ, folder=here).targets]

    assert names() == []
    assert names(HOME=str(home)) == names(XDG_CONFIG_HOME=str(home / ".config")) == ["own"]
    assert load_settings(environ={"HOME": str(home)}, folder=here).targets[0].cacert == own.parent / "ca.pem"
    assert names(HOME=str(home), XDG_CONFIG_HOME=str(home)) == []
    (here / "rediagnose.toml").write_text('[[targets]]\nname = "nearer"\nurl = "redis://a"\n')
    assert names(HOME=str(home)) == ["nearer"]


def test_a_target_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "rediagnose.toml").write_text(GOOD)
    found = target_named("Orders", environ={}, folder=tmp_path)
    assert found.target and found.target.node == "orders.example:6379"
    said = r"'orders2': no target has this name; did you mean orders\? \(.*rediagnose.toml has orders\)"
    with pytest.raises(UsageError, match=said):
        target_named("orders2", environ={}, folder=tmp_path)
    with pytest.raises(UsageError, match=r"there is no rediagnose.toml here or in"):
        target_named("orders", environ={}, folder=tmp_path / "none")


def test_what_the_nearer_file_does_not_have_is_looked_for_in_the_persons_own(tmp_path: Path) -> None:
    own = tmp_path / "home" / ".config" / "rediagnose" / "rediagnose.toml"
    own.parent.mkdir(parents=True)
    own.write_text(
        '[[targets]]\nname = "cart"\nurl = "redis://cart:1"\npassword_env = "PW"\n'
        '[[targets]]\nname = "orders"\nurl = "redis://mine:1"\n'
    )
    (tmp_path / "rediagnose.toml").write_text('[[targets]]\nname = "orders"\nurl = "redis://nearer:1"\n')
    environ = {"HOME": str(tmp_path / "home"), "PW": "hush"}
    found = target_named("cart", environ=environ, folder=tmp_path).connectable(Tls(), environ=environ)
    assert found.node == "cart:1" and found.password and found.password.get_secret_value() == "hush"
    nearer = target_named("orders", environ=environ, folder=tmp_path)
    assert nearer.target and nearer.target.node == "nearer:1"
    same = settings_for(parse_target("redis://cart:1", environ={}), environ=environ, folder=tmp_path)
    assert same.password_env == "PW"
    with pytest.raises(UsageError, match=r"rediagnose.toml and .*rediagnose.toml have orders, cart"):
        target_named("search", environ=environ, folder=tmp_path)


def test_what_a_target_is_reached_by(tmp_path: Path) -> None:
    file = tmp_path / "rediagnose.toml"

    def reached(table: str, **environ: str) -> Target:
        file.write_text(f"[[targets]]\n{table}\n")
        (found,) = load_settings(environ={**environ, "REDIAGNOSE_CONFIG": str(file)}).targets
        assert found.target and not found.target.password
        return found.connectable(Tls(cert=Path("given.pem")), environ=environ)

    ours = reached('url_env = "U"\ncacert = "ca.pem"\ncert = "c.pem"', U="rediss://u:hush@a:1/2")
    assert ours.tls and (ours.tls.cacert, ours.tls.cert) == (tmp_path / "ca.pem", Path("given.pem"))
    assert ours.password and ours.password.get_secret_value() == "hush" and (ours.username, ours.db) == ("u", 2)
    entra = reached('url = "rediss://a"\ncredentials = "entra"', REDISCLI_AUTH="hush")
    assert entra.credentials == EntraId(type="entra") and entra.password is None
    aws = reached('url = "rediss://a"\n[targets.credentials]\ntype = "aws-iam"\nuser = "u"\ncache = "c"\nregion = "r"')
    assert aws.credentials == AwsIam(type="aws-iam", user="u", cache="c", region="r")
    with pytest.raises(UsageError, match=rf"^{file}: a: url: it contains a password; use password_env") as failed:
        reached('name = "a"\nurl = "rediss://:hush@a"')
    assert "hush" not in str(failed.value)


def test_a_secret_that_is_missing_is_named_by_its_setting(tmp_path: Path) -> None:
    file = tmp_path / "rediagnose.toml"
    file.write_text('[[targets]]\nurl = "redis://a"\npassword_env = "PW"\n[github]\ntoken_file = "token"\n')
    settings = load_settings(environ={"REDIAGNOSE_CONFIG": str(file)})
    password, token = settings.targets[0].password, settings.github.token
    assert password and password.read({"PW": " hush "}).get_secret_value() == "hush"
    with pytest.raises(UsageError, match=rf"^{file}: password_env: PW isn't set"):
        password.read({})
    assert token
    for content, why in ((None, "No such file"), ("\n", "its first line is empty")):
        if content is not None:
            (tmp_path / "token").write_text(content)
        with pytest.raises(UsageError, match=rf"^{file}: token_file: {tmp_path}/token: {why}"):
            token.read({})


def test_networks_that_a_target_trusts(tmp_path: Path) -> None:
    text = '[[targets]]\nname = "a"\nurl = "redis://a"\ntrust = ["10.1.2.3/16", "fd00::1"]\n'
    (tmp_path / "rediagnose.toml").write_text(text)
    unknown = target_named("a", environ={}, folder=tmp_path)
    assert unknown.networks == ()
    with pytest.raises(UsageError, match="rediagnose trust"):
        unknown.connectable(Tls(), environ={})
    named = {"REDIAGNOSE_CONFIG": str(tmp_path / "rediagnose.toml")}
    found = target_named("a", environ=named)
    assert [str(one) for one in found.networks] == ["10.1.0.0/16", "fd00::1/128"]
    target = found.connectable(Tls(), environ={})
    assert target.trust == found.trust == target.neighbour("10.1.0.9", 1).trust


@pytest.mark.parametrize("trusted", [True, False])
def test_a_target_lets_an_assistants_question_approve_only_by_a_trusted_file(trusted: bool) -> None:
    text = (
        b'[[targets]]\nname = "a"\nurl = "redis://h"\nmcp.approve = true\n[[targets]]\nname = "b"\nurl = "redis://i"\n'
    )
    one, other = parse_settings(Path("rediagnose.toml"), text, {}, trusted=trusted).targets
    assert (one.approved_by_assistants, other.approved_by_assistants) == (trusted, False)
    assert one.deciding(HARMLESS) == ["mcp"], "whoever is asked to trust the file sees it"


def test_whom_a_login_of_a_cloud_asks_about_is_only_for_a_trusted_file() -> None:
    text = b'[[targets]]\nname = "a"\nurl = "redis://h"\nservice = "elasticache"\nprovider = "eu-west-1/shop"\n'
    (one,) = parse_settings(Path("rediagnose.toml"), text, {}, trusted=True).targets
    assert one.resource == "eu-west-1/shop"
    (one,) = parse_settings(Path("rediagnose.toml"), text, {}, trusted=False).targets
    assert one.deciding(HARMLESS) == ["provider"]
    with pytest.raises(UsageError, match="rediagnose trust"):
        _ = one.resource
