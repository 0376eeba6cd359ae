"""Access: credentials and TLS."""

import re

from agent.answer.diagnosis import Cause
from agent.checks.certificates import certificate_expiry
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.checks.words import TLS_IN_VAIN
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.patterns import deferred

EXPIRED = "certificate has expired"
"""In OpenSSL's words."""
ERRORS = ("NOAUTH", "WRONGPASS", "NOPERM")


NEWEST = 6
"""How many entries of ACL LOG a reading of `access` lists individually."""
ABOUT_LOGIN = deferred(
    r"noauth|wrongpass|\bauth\w*|password|credential|log(ged)? ?in\b|\bacl\b|permission|secret", re.IGNORECASE
)
"""Words of people who can't log in."""
NAMED = 3
"""How many permissions a sentence names."""


def lacking(view: View) -> tuple[tuple[str, ...], tuple[Cited, ...]]:
    """Permissions that users lack according to the newest refusals in ACL LOG, each once, with the fields that show
    it."""
    found: dict[str, tuple[Cited, ...]] = {}
    for at in (f"e{number}" for number in range(1, NEWEST + 1)):
        reason, what = view.text("access", f"{at}.reason"), view.text("access", f"{at}.object")
        if reason in ("command", "key", "channel") and what and len(found) < NAMED:
            fields = tuple(("access", f"{at}.{field}") for field in ("reason", "user", "object"))
            found.setdefault(f"user {view.text('access', f'{at}.user')} lacks the {reason} {what}", fields)
    return tuple(found), tuple(one for fields in found.values() for one in fields)


def _lacked(view: View) -> tuple[str, ...]:
    return (("; ".join(lacking(view)[0])) or "ACL LOG names user and object",)


def _from_here(view: View) -> tuple[Cited, ...]:
    """What shows that every wrong password in ACL LOG came from this program's own address, from unnamed clients.

    A refused login of this program looks like that: it can't set a name before it's logged in.
    """
    here, count = view.text("clients", "own_address"), view.number("access", "auth.count") or 0
    shown = [at for at in (f"e{number}" for number in range(1, NEWEST + 1))
             if view.text("access", f"{at}.reason") == "auth"]  # fmt: skip
    if not here or sum(view.number("access", f"{at}.count") or 0 for at in shown) < count:
        return ()
    if any(view.text("access", f"{at}.client") or view.text("access", f"{at}.address") != here for at in shown):
        return ()
    return ("clients", "own_address"), *(("access", f"{at}.address") for at in shown)


def _no_password(view: View) -> Cause | None:
    """Clients log in to a server that has no password: it answers with an ERR of its own, which libraries pass on."""
    failed = view.number("commandstats", "auth.failed_calls.delta") or 0
    if not failed or failed > (view.number("info", "errorstat_ERR.count.delta") or 0):
        return None
    unset = view.get("config_drift", "password_set")
    if unset is True or (unset is None and not mention(ABOUT_LOGIN, view.symptom)):
        return None
    why = (
        f"AUTH failed {failed:.0f} times over the window, and not because of a wrong password: the default user has"
        " none here, so clients that send one are refused, and anybody else is let in. It was lost by a restart"
        " (CONFIG SET without CONFIG REWRITE, a missing file), or this isn't the server that they mean."
    )
    return view.cause(
        "auth-failure", 0.93 if unset is False else 0.75, why, ("commandstats", "auth.failed_calls.delta"),
        ("info", "errorstat_ERR.count.delta"), ("config_drift", "password_set"),
    )  # fmt: skip


def auth_failure(view: View, limits: Limits) -> Found:
    """The server refuses a login or a command: ours, or others' over the window."""
    if view.unavailable("connect") in ("noauth", "wrongpass"):
        noauth = view.unavailable("connect") == "noauth"
        why = "The server requires a password, and none was given." if noauth else "The server refuses this password."
        if not noauth and any(peer.get("connect", "auth") == "ok" for peer in view.peers):
            why = (
                "This node refuses the password that other nodes of the deployment "
                "accept: it was changed on only some of them."
            )
        yield view.cause("auth-failure", 0.97, why, ("connect", "unavailable"), ("connect", "stage"))
        return
    now = [name for name in ERRORS if (view.number("info", f"errorstat_{name}.count.delta") or 0) > 0]
    if now:
        counts = ", ".join(f"{view.number('info', f'errorstat_{name}.count.delta'):.0f} {name}" for name in now)
        cited = [("info", f"errorstat_{name}.count.delta") for name in now]
        log = [("access", f"{reason}.count") for reason in ("auth", "command", "key", "channel")]
        lacks, entries = lacking(view) if "NOPERM" in now else ((), ())
        why = f"Clients are refused: {counts} over the window{'; ' if lacks else ''}{', '.join(lacks)}."
        yield view.cause("auth-failure", 0.93, why, *cited, *log, *entries)
        return
    if (none := _no_password(view)) is not None:
        yield none
        return
    if view.get("connect", "auth") == "not-required":
        why = "The URL has a password but the server has none, so clients that check the reply to AUTH fail."
        yield view.cause("auth-failure", 0.5, why, ("connect", "auth"))
    for reason in ("auth", "command", "key", "channel"):
        age = view.number("access", f"{reason}.newest_age")
        count = view.number("access", f"{reason}.count") or 0
        if age is not None and age <= limits["acl_recent_seconds"]:
            # One mistyped password isn't an incident; a client that keeps trying is, and it keeps its name. Anybody can
            # put names into this log, a different one each time.
            often = count >= 3 and age <= 60 and (view.number("access", f"{reason}.users") or 1) <= count / 2
            why = f"ACL LOG shows refusals (reason {reason}), the last one {age:.0f} s ago."
            cited = [("access", f"{reason}.count"), ("access", f"{reason}.newest_age")]
            if not often and reason == "auth" and (own := _from_here(view)):
                if not ABOUT_LOGIN.search(view.symptom):
                    # It may just as well be a password mistyped for this program itself.
                    continue
                why += " They came from where this program runs, by clients without a name: perhaps its own of before."
                cited += own
            yield view.cause("auth-failure", 0.6 if often else 0.35, why, *cited)
            return


def tls_mismatch(view: View, limits: Limits) -> Found:
    """One side speaks TLS and the other doesn't, or the certificate isn't trusted."""
    kind, stage = view.unavailable("connect"), view.get("connect", "stage")
    cited = ("connect", "unavailable"), ("connect", "stage")
    if kind == "tls":
        if (refused := view.text("connect", "certificate_refused")) == EXPIRED:
            why = "The server's certificate has expired: every client that verifies it refuses to connect."
            yield view.cause("tls-mismatch", 0.96, why, *cited, ("connect", "certificate_refused"))
            return
        detail = (reading := view.last("connect")) and reading.unavailable and reading.unavailable.detail
        fields = (*cited, ("connect", "certificate_refused")) if refused else cited
        yield view.cause("tls-mismatch", 0.92, f"The TLS handshake fails: {detail}.", *fields)
    elif kind == "reset" and stage in ("open", "ping") and view.get("connect", "speaks_resp") is not False:
        local = view.get("process", "listening") is True
        if view.get("process", "locality") == "foreign-listener":
            why = (
                "TCP connects and is closed at once; a proxy is listening there, "
                "and its path to the server may be broken."
            )
            yield view.cause("tls-mismatch", 0.35, why, *cited, ("process", "locality"))
            return
        why = "TCP connects, but the server closes the connection at the first plain command: the port may expect TLS."
        yield view.cause("tls-mismatch", 0.85 if local else 0.6, why, *cited)
    elif kind is None and stage == "ping" and view.number("connect", "tls_ms") is None:
        yield from _tls_in_vain(view)


def _tls_in_vain(view: View) -> Found:
    """The report quotes a client that speaks TLS, and this server doesn't."""
    if mention(TLS_IN_VAIN, view.symptom) is None:
        return
    doors = [view.text("info", field) for field in view.fields("info") if field.startswith("listener")]
    if any("name=tls" in door for door in doors):
        return
    why = "The report quotes a client that speaks TLS to something that doesn't, and this port answers plain commands"
    why += "; the server has no port with TLS." if doors else "."
    cited = ("symptom", "text"), ("connect", "stage"), ("info", "listener0")
    yield view.cause("tls-mismatch", 0.9 if doors else 0.7, why, *cited)


FAMILY = Family(
    checks=(auth_failure, tls_mismatch, certificate_expiry),
    needs={
        "auth-failure": ("info", "access"), "tls-mismatch": (),
    },
    placeholders=(Placeholder(name="lacked", example="user app lacks the channel orders", values=_lacked),),
)  # fmt: skip
