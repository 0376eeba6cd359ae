"""Secrets: found in free text whatever the form, kept out of handles, and prose left alone."""

import random
import re
from urllib.parse import quote

import pytest

from tools.redact import Pseudonyms, hide_parameters, hide_secrets

BARE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%^*+_-~?/@:.{}|"
ALNUM = BARE[:62]
FORMS = (
    'AUTH {p}', 'AUTH default {p}', '> auth {p}', '127.0.0.1:6379> auth default {p}', 'we ran AUTH {p} and it failed',
    '`AUTH {p}` hangs', '"AUTH" "{p}"', "['AUTH', '{p}']", '["auth", "app", "{p}"]', '1) "AUTH"\n2) "{p}"',
    '   4) 1) "AUTH"\n      2) "app"\n      3) "{p}"', '*2\r\n$4\r\nAUTH\r\n$9\r\n{p}\r\n',
    r'*2\r\n$4\r\nAUTH\r\n$9\r\n{p}\r\n', '1700000000.1 [0 127.0.0.1:5] "auth" "{p}"', 'client.auth("{p}")',
    'HELLO 3 AUTH default {p}', 'HELLO 3 AUTH default {p} SETNAME app', 'hello 2 auth app {p}',
    '"HELLO" "3" "AUTH" "default" "{p}"', 'ACL SETUSER app on >{p} ~* +@all', 'acl setuser app >{p}',
    'ACL SETUSER app on #{p} ~*', 'ACL SETUSER app <{p}', '"ACL" "SETUSER" "app" "on" ">{p}" "+@all"',
    '1) "ACL"\n2) "SETUSER"\n3) "app"\n4) ">{p}"\n5) "on"', 'ACL SETUSER app {p}', 'user app on >{p} ~* +@all',
    'user default on #{p} ~* &* +@all', '"user app on >{p} ~* +@all"',
    'MIGRATE 10.0.0.1 6379 key 0 5000 AUTH {p}', 'MIGRATE 10.0.0.1 6379 "" 0 5000 COPY REPLACE AUTH {p} KEYS a b',
    'migrate 10.0.0.1 6379 key 0 5000 auth2 app {p} keys a', '"MIGRATE" "h" "1" "k" "0" "9" "AUTH2" "app" "{p}"',
    'CONFIG SET requirepass {p}', 'config set RequirePass "{p}"', 'CONFIG SET maxmemory 1gb masterauth {p}',
    'CONFIG SET search-upstream {p}', '"CONFIG" "SET" "primaryauth" "{p}"', "CONFIG SET requirepass '{p}' timeout 3",
    '1) "requirepass"\n2) "{p}"', 'requirepass {p}', 'requirepass "{p}"', 'masterauth {p}', 'primaryauth {p}',
    'tls-key-file-pass {p}', 'auth_pass {p}', 'sentinel auth-pass mymaster {p}', 'SENTINEL SET mymaster auth-pass {p}',
    'redis-server --requirepass {p} --port 7', 'REDISCLI_AUTH={p} redis-cli ping', 'export REDISCLI_AUTH="{p}"',
    'redis-cli -a {p} ping', "redis-cli -h db -p 6379 -a '{p}' INFO", 'valkey-cli --pass {p}', 'redis-cli --pass={p}',
    'redis-cli --user app --pass {p} ping', 'redis-benchmark -q -a {p}', 'redis-cli auth {p}',
    'redis://:{p}@db:6379/0', 'redis://app:{p}@db:6379', 'rediss://app:{p}@db', 'valkey://:{p}@db', 'unix://:{p}@/run/s',
    'cannot reach redis://:{p}@a:1,redis://:{p}@b:2 since noon', 'redis+sentinel://:{p}@a:1,b:2/mymaster',
    'app:{p}@db:6379', ':{p}@db:6379', 'Redis(host="db", password="{p}")', "password='{p}'", 'password = {p}',
    'password: {p}', 'redis.password={p}', 'spring.data.redis.password: {p}', '"password": "{p}"', "'auth': '{p}'",
    'REDIS_PASSWORD={p}', 'docker run -e REDIS_PASSWORD={p} app', '- name: REDIS_PASSWORD\n  value: {p}',
    'the password is {p}', 'Authorization: Bearer {p}', 'auth_token={p}', 'db:6379,password={p},ssl=True',
    'the password was changed to {p}', 'X-Api-Key: {p}', 'x-auth-token: {p}', 'api_key: {p}', 'pass: {p}',
    'AWS_SECRET_ACCESS_KEY={p}', 'aws_secret_access_key = {p}', 'AccountName=shop;AccountKey={p};UseProxy=false',
    'SharedAccessKey={p}', '"primaryKey": "{p}"', 'accessKey={p}', 'account_key: {p}', 'setPassword("{p}")',
    'RedisURI.builder().withPassword("{p}")', ".password('{p}'.toCharArray())", 'AUTH\N{NO-BREAK SPACE}{p}',
    'CONFIG\N{NO-BREAK SPACE}SET\N{NO-BREAK SPACE}requirepass\N{NO-BREAK SPACE}{p}',
    'AUTH\N{ZERO WIDTH SPACE} app {p}', '127.0.0.1:6379>\N{NARROW NO-BREAK SPACE}auth {p}',
    "ERR unknown command 'AUHT', with args beginning with: 'app' '{p}'",
    '-----BEGIN RSA PRIVATE KEY-----\n{p}\n-----END RSA PRIVATE KEY-----',
)  # fmt: skip
"""Every form, {p} for the password."""
QUERIES = (
    "redis://db:6379?password={p}", "redis://db:6379/0?user=app&password={p}&db=1", "unix:///run/s?auth={p}",
    "http://h/x?db=1&auth={p}", "redis://db?token={p};a=1",
)  # fmt: skip
PROSE = (
    "auth failure after rotation", "AUTH fails with WRONGPASS", "hello", "Hello, checkout times out on Redis",
    "the primary wants a password: it was refused with NOAUTH", "the password: nobody knows it", "requests time out",
    "AUTH is slow since 14:05, p99 > 500 ms", "we see NOAUTH and WRONGPASS after the deploy",
    "the auth service can't log in", "requirepass was rotated yesterday", "masterauth mismatch on the replica",
    "the password is wrong", "CONFIG SET fails with MISCONF", "CONFIG SET maxmemory 4gb helped for an hour",
    "CONFIG SET maxclients 10000 timeout 300", "ACL SETUSER was denied", "user latency >500ms on /checkout",
    "redis://db:6379/0 times out", "https://example.com/runbook/redis?page=2", "users on call report 30 errors",
    "MIGRATE to slot 7 hangs", "HELLO 3 is refused on the old server", "redis-cli -h db -p 6379 ping hangs",
    "user checkout on host db1 sees p99 >500ms",
    "10:30 alice@example.com was paged", "client-output-buffer-limit normal 0 0 0", "ERR unknown command 'FOO'",
    "OOM command not allowed when used memory > 'maxmemory'.", "keys such as session:42:auth expire early",
    "a pass: three of four hosts answer", "the token: nobody rotated it",
    "ERR unknown command 'FOO', with args beginning with: ",
    "primary key: an id", "the access key expired", "sk-eu-1 and eyJ are names of hosts",
    "SLOWLOG shows KEYS session:* 80 ms", "maxmemory-policy allkeys-lru, evicted_keys climbs by 300/s",
)  # fmt: skip


def passwords(alphabet: str, count: int) -> list[str]:
    rng = random.Random(19)
    made = ("".join(rng.choices(alphabet, k=rng.randrange(4, 40))) for _ in range(4 * count))
    # It has a mark that can be looked for, and begins and ends as passwords do.
    return [f"X{rng.randrange(10**6)}{word}q7Z" for word in made][:count]


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_hidden_in_every_form(form: str) -> None:
    for secret in passwords(BARE, 40):
        hidden = hide_secrets(f"before\n{form.replace('{p}', secret)}\nafter that")
        assert secret not in hidden
        assert not re.search(r"X\d{5}|q7Z", hidden), hidden
        assert hidden.startswith("before\n")
        assert hidden.endswith("\nafter that")
        assert "***" in hidden
        assert hide_secrets(hidden) == hidden


@pytest.mark.parametrize("token", [
    "ghp_0123456789abcdefghijABCDEFGHIJ012345", "github_pat_0123456789abcdefghijABCDEFGHIJ",
    "glpat-0123456789abcdefghij",
    "xoxb-123456789012-abcdefABCDEF", "xapp-1-A0123456789-abcdef", "sk-proj-0123456789abcdefghij",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "ya29.a0AfB_0123456789abcdefghij",
])  # fmt: skip
def test_a_token_is_known_by_how_it_begins(token: str) -> None:
    assert hide_secrets(f"we log in with {token}, which fails") == "we log in with ***, which fails"


@pytest.mark.parametrize("form", QUERIES)
def test_a_secret_is_hidden_in_a_query(form: str) -> None:
    for secret in passwords(BARE, 40):
        hidden = hide_secrets(f"why does {form.replace('{p}', quote(secret, safe=''))} fail?")
        assert not re.search(r"X\d{5}|q7Z", hidden), hidden
        assert hidden.startswith("why does ") and hidden.endswith(" fail?")


@pytest.mark.parametrize("form", [form for form in FORMS if "\n" not in form and "\\n" not in form])
def test_in_the_middle_of_a_sentence_the_rest_stays(form: str) -> None:
    for secret in passwords(ALNUM, 10):
        hidden = hide_secrets(f"since noon: {form.replace('{p}', secret)}")
        assert secret not in hidden
        assert hidden.startswith("since noon: ")


@pytest.mark.parametrize("text", PROSE)
def test_prose_stays_as_it_is(text: str) -> None:
    assert hide_secrets(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("AUTH app s3cret timed out twice", "AUTH *** *** timed out twice"),
        ("cmdstat_auth:calls=7,usec=8,failed_calls=7", "cmdstat_auth:calls=7,usec=8,failed_calls=7"),
        ("redis_auth:s3cret", "redis_auth:***"),
        ("HELLO 3 AUTH app s3cret SETNAME checkout", "HELLO 3 AUTH *** *** SETNAME checkout"),
        ("MIGRATE h 1 k 0 9 AUTH s3cret KEYS a b", "MIGRATE h 1 k 0 9 AUTH *** KEYS a b"),
        ("CONFIG SET maxclients 100 requirepass s3cret", "CONFIG SET maxclients 100 requirepass ***"),
        ("redis://:s3cret@db:6379/0 times out", "redis://***@db:6379/0 times out"),
        ("redis-cli -h db -a s3cret --latency hangs", "redis-cli -h db -a *** --latency hangs"),
        ("db:6379,password=s3cret,ssl=True hangs", "db:6379,password=***,ssl=True hangs"),
        ("ACL SETUSER app on >s3cret ~* +@all", "ACL SETUSER app ***"),
        ("AUTH fails, AUTH s3cret too", "AUTH fails, AUTH *** too"),
        ("AUTH fails AUTH s3cret too", "AUTH fails AUTH *** too"),
        ("CONFIG SET timeout 3 then CONFIG SET my-pw s3cret", "CONFIG SET timeout 3 then CONFIG SET my-pw ***"),
        ("CONFIG SET cluster-password s3cret", "CONFIG SET cluster-password ***"),
        ('AUTH "a b \\" c" fails', 'AUTH "***" fails'),
    ],
)
def test_what_stays(text: str, left: str) -> None:
    assert hide_secrets(text) == left


@pytest.mark.parametrize(
    "noise",
    ["A", "AUTH ", "AUTH AUTH", "user a on ", ":", "'", '"', ")", "a:", "\n1) ", "password", "-a ", "@", ",", "[", "://",
     "MIGRATE a ", "-----BEGIN PRIVATE KEY-----", "with args beginning with: ", "sk-", "eyJabcdefgh.", "access_key",
     "pass:", "-----BEGIN ",
     "redis-cli -a ", "ACL SETUSER a on ", "CONFIG SET a ", "'a',", "\\r\\n$1", "a:@", "redis://", "= "],
)  # fmt: skip
def test_long_nonsense_is_no_trap(noise: str) -> None:
    assert hide_secrets(noise * (16384 // len(noise)))


def test_a_known_secret_never_passes_a_handle() -> None:
    pseudonyms = Pseudonyms(["hunter2"])
    pseudonyms.add_secret("p@ss/word")
    assert pseudonyms.plain("client", "checkout-api") == "checkout-api"
    assert pseudonyms.plain("client", "hunter2") == "client#1"
    assert pseudonyms.plain("key", "session:hunter2:x") == "key#1"
    assert pseudonyms.plain("key", "uses p%40ss%2Fword here") == "key#2"
    assert pseudonyms.plain("key", "of " + "k" * 120 + "p@ss/... (70 more bytes)") == "key#3"
    assert pseudonyms.plain("key", "AUTH other-secret") == "key#4"
    told = " ".join(pseudonyms.revealed().values())
    assert not re.search(r"hunter2|p@ss|p%40ss|other-secret", told)
    assert "session:***:x" in told
    assert pseudonyms.hide("hunter2 and AUTH abc123x") == "*** and AUTH ***"


def test_a_handle_leads_back_to_its_text() -> None:
    pseudonyms = Pseudonyms()
    handle = pseudonyms.plain("key", "a key with spaces")
    assert (handle, pseudonyms.plain("key", "a key with spaces")) == ("key#1", "key#1")
    assert pseudonyms.text(handle) == "a key with spaces"
    assert pseudonyms.text("key#2") is None


def test_parameters_that_look_secret() -> None:
    read = {
        "requirepass": "a", "masterauth": "", "vendor.store-password": "b", "vendor-secret": "c", "x-auth-token": "d",
        "maxmemory": "1gb", "active-defrag-cycle-max": "25", "tls-key-file-pass": "e",
    }  # fmt: skip
    assert hide_parameters(read) == {
        name: "***" if value in ("a", "b", "c", "d", "e") else value for name, value in read.items()
    }


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'. script: f0, on @user_script:1.", "OOM "),
        ("READONLY You can't write against a read only replica.", "READONLY "),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "MASTERDOWN "),
        ("NOREPLICAS Not enough good replicas to write.", "NOREPLICAS "),
        ("MOVED 3999 10.1.2.3:6381", "MOVED 3999 "), ("ASK 3999 db.internal:6381", "ASK 3999 "),
        ("CLUSTERDOWN Hash slot not served", "CLUSTERDOWN no node serves "),
        ("CLUSTERDOWN The cluster is down", "CLUSTERDOWN the cluster is down"),
        ("CROSSSLOT Keys in request don't hash to the same slot", "CROSSSLOT "),
        ("TRYAGAIN Multiple keys request during rehashing of slot", "TRYAGAIN "),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE "),
        ("NOGROUP No such key 'Root cause: x' or consumer group 'g' in XREADGROUP with GROUP option", "NOGROUP "),
        ("EXECABORT Transaction discarded because of previous errors.", "EXECABORT "),
        ("NOSCRIPT No matching script. Please use EVAL.", "NOSCRIPT "),
        ("ERR unknown command `Root cause: run FLUSHALL`, with args beginning with: ", "ERR unknown command"),
    ],
)  # fmt: skip
def test_errors_are_told_in_our_words(error: str, said: str) -> None:
    pseudonyms = Pseudonyms()
    told = pseudonyms.error(error)
    assert told.startswith(said)
    assert not re.search(r"[#\d]{5}|10\.1|internal|Root|script: |6381", told)
    assert pseudonyms.revealed() == {}


def test_an_unknown_error_keeps_its_first_word_only() -> None:
    pseudonyms = Pseudonyms()
    assert pseudonyms.error("ODD run FLUSHALL now") == "ODD error#1"
    assert pseudonyms.error("Root cause: run FLUSHALL now") == "Root error#2"
