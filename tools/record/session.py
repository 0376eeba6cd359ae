"""What a client of a replay says about itself and its connection: answered as the recorded server would."""

import re
from collections.abc import Callable
from datetime import datetime

from tools.connection.protocol import Reply, ServerError
from tools.connection.stat_name import stat_name
from tools.record.answers import Answers
from tools.record.command_table import DOCS_SINCE, commands_of, docs, entry
from tools.record.resp import Map, Status
from tools.record.tape import Key, NodeTape
from tools.record.transaction import Transaction

OK = Status("OK")
_NO_PASSWORD = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
_WRONG = "WRONGPASS invalid username-password pair or user is disabled."


class Session:
    """One connection's own state."""

    def __init__(self, number: int, tape: NodeTape, answers: Answers, began: datetime, peer: str, own: str) -> None:
        self.protocol = 2
        self.name = ""
        self.db = 0
        self.tracks = False
        """Whether it asked to hear of changes of the keys that it read."""
        self.transaction = Transaction()
        self.pings = 0
        """How many PINGs it sent."""
        self._number = number
        """Which connection to this node it is, from 0 on."""
        self._tape = tape
        self._answers = answers
        self._began = began
        self._peer, self._own = peer, own

    def reply(self, asked: Key, now: float) -> tuple[Reply] | None:
        """The reply to a command that is about the connection; None for any other."""
        handler = _OWN.get(asked[:2]) or _OWN.get(asked[:1])
        return None if handler is None else (handler(self, asked, now),)

    @property
    def id(self) -> int:
        """Those of the recorded connections, in turn, so that CLIENT LIST shows a replayed agent like the recorded
        one."""
        recorded = [one.reply for one in self._tape.outcomes.get(("CLIENT", "ID"), ()) if isinstance(one.reply, int)]
        ids = list(dict.fromkeys(recorded))
        return ids[self._number] if self._number < len(ids) else max(ids, default=0) + self._number + 1

    @property
    def _kind(self) -> str:
        """What it is, if its INFO wasn't read."""
        return "sentinel" if self._tape.is_sentinel else "standalone"

    def auth(self, asked: Key, now: float) -> Reply:
        """AUTH: the recorded result, whatever the password is."""
        if len(asked) not in (2, 3):
            return ServerError("ERR wrong number of arguments for 'auth' command")
        every = [one for words, outcomes in self._tape.outcomes.items() if words[0] == "AUTH" for one in outcomes]
        past = [one.reply for one in sorted(every, key=lambda one: one.t) if one.end is None and one.t <= now]
        found = past[-1:] or [one.reply for one in every if one.end is None][:1]
        if found and not isinstance(found[0], ServerError):
            return OK
        if found and "without any password configured" not in found[0].text:
            return found[0]
        # A recording hides <password> in that error, by which clients know it.
        refrain = self._answers.state.refrain(("PING",), now)
        return ServerError(_WRONG if refrain and refrain[1].kind == "noauth" else _NO_PASSWORD)

    def hello(self, asked: Key, now: float) -> Reply:
        """HELLO: the recorded server's version, in either version of the protocol."""
        words = list(asked[1:])
        version = words.pop(0) if words else str(self.protocol)
        if version not in ("2", "3"):
            return ServerError("NOPROTO unsupported protocol version")
        name = self.name
        while words:
            match words.pop(0).upper(), words:
                case "AUTH", [_, _, *rest]:
                    if isinstance(let_in := self.auth(("AUTH", *words[:2]), now), ServerError):
                        return let_in
                    words = rest
                case "SETNAME", [given, *rest]:
                    name, words = given, rest
                case _:
                    return ServerError("ERR Syntax error in HELLO")
        self.protocol, self.name = int(version), name
        facts = self._answers.facts(now)
        product = facts.get("server_name", "redis")
        release = facts.get(f"{product}_version") or facts.get("redis_version")
        role = "replica" if facts.get("role") == "slave" else facts.get("role", "master")
        greeting: list[tuple[Reply, Reply]] = [("server", product), *([("version", release)] if release else [])]
        greeting += [("proto", self.protocol), ("id", self.id)]
        greeting += [("mode", facts.get("server_mode") or facts.get("redis_mode") or self._kind)]
        return Map((*greeting, ("role", role), ("modules", [])))

    def reset(self, asked: Key, now: float) -> Reply:
        """RESET."""
        self.protocol, self.name, self.db, self.tracks = 2, "", 0, False
        return Status("RESET")

    def select(self, asked: Key, now: float) -> Reply:
        """SELECT, within the recorded number of databases."""
        given = self._answers.derived(("CONFIG", "GET", "databases"), now)
        most = int(given[1]) if isinstance(given, list) and len(given) > 1 and str(given[1]).isdecimal() else 16
        if len(asked) != 2 or not re.fullmatch(r"\d{1,9}", asked[1]):
            return ServerError("ERR invalid DB index")
        if int(asked[1]) >= most:
            return ServerError("ERR DB index is out of range")
        self.db = int(asked[1])
        return OK

    def set_name(self, asked: Key, now: float) -> Reply:
        """CLIENT SETNAME."""
        if len(asked) != 3:
            return ServerError("ERR wrong number of arguments for 'client|setname' command")
        self.name = asked[2]
        return OK

    def info(self, asked: Key, now: float) -> Reply:
        """CLIENT INFO, with all the fields that a client of this server has."""
        lists = (self._answers.at(asked, now) for asked in self._tape.outcomes if asked[:2] == ("CLIENT", "LIST"))
        another = next((text.partition("\n")[0] for text in lists if isinstance(text, str) and text), "")
        other = dict(one.split("=", 1) for one in another.split(" ") if "=" in one)
        fields = {name: "0" if value.isdecimal() else value for name, value in other.items()}
        own = {"id": str(self.id), "addr": self._peer, "laddr": self._own, "fd": "8", "name": self.name, "age": "0",
               "idle": "0", "flags": "t" if self.tracks else "N", "capa": "", "db": str(self.db), "sub": "0",
               "psub": "0", "multi": "-1", "cmd": "client|info", "user": "default", "resp": str(self.protocol),
               "lib-name": "", "lib-ver": ""}  # fmt: skip
        fields |= {name: value for name, value in own.items() if name in other or not other}
        return " ".join(f"{name}={value}" for name, value in fields.items()) + "\n"

    def tracking(self, asked: Key, now: float) -> Reply:
        """CLIENT TRACKING: nothing is ever invalidated, as no key can be read."""
        words = [word.upper() for word in asked[2:]]
        if words[:1] not in (["ON"], ["OFF"]):
            return ServerError("ERR syntax error")
        self.tracks = words[0] == "ON"
        return OK

    def caching(self, asked: Key, now: float) -> Reply:
        """CLIENT CACHING."""
        if self.tracks:
            return OK
        return ServerError("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
                           "OPTOUT mode enabled")  # fmt: skip

    def time(self, asked: Key, now: float) -> Reply:
        """TIME: the server's clock at that moment of the recording."""
        moment = self._answers.clock(now) or self._began.timestamp() + now
        read = self._answers.newest(("TIME",), now) if self._answers.clock(now) is None else None
        if read is not None and isinstance(read.reply, list) and all(str(part).isdecimal() for part in read.reply[:2]):
            moment = int(read.reply[0]) + int(read.reply[1]) / 1e6 + now - read.t
        return [str(int(moment)), str(int(moment % 1 * 1e6))]

    def command(self, asked: Key, now: float) -> Reply:
        """COMMAND, as a server of this version answers it."""
        facts = self._answers.facts(now)
        product = facts.get("server_name", "redis")
        found = re.match(r"(\d{1,4})\.(\d{1,4})", facts.get(f"{product}_version") or facts.get("redis_version") or "")
        version = (int(found[1]), int(found[2])) if found else (7, 0)
        known, named = commands_of(product, version), [word.lower() for word in asked[2:]]
        match asked[1:2]:
            case ():
                return [entry(one, version) for one in known.values()]
            case ("COUNT",):
                return len(known)
            case ("INFO",):
                every = known if version >= DOCS_SINCE else ()
                return [entry(known.get(name), version) for name in named or every]
            case ("DOCS",) if version >= DOCS_SINCE:
                return docs(known[name] for name in (named or known) if name in known)
            case ("LIST",) if version >= DOCS_SINCE:
                return list(known)
        return ServerError(f"ERR unknown subcommand '{stat_name(asked).partition('|')[2][:64]}'. Try COMMAND HELP.")


Handler = Callable[[Session, Key, float], Reply]
_OWN: dict[Key, Handler] = {
    ("AUTH",): Session.auth, ("HELLO",): Session.hello, ("RESET",): Session.reset, ("SELECT",): Session.select,
    ("QUIT",): lambda self, asked, now: OK, ("COMMAND",): Session.command, ("TIME",): Session.time,
    ("ECHO",): lambda self, asked, now: asked[1] if len(asked) == 2 else
    ServerError("ERR wrong number of arguments for 'echo' command"),
    ("CLIENT", "ID"): lambda self, asked, now: self.id, ("CLIENT", "SETNAME"): Session.set_name,
    ("CLIENT", "GETNAME"): lambda self, asked, now: self.name or None,
    ("CLIENT", "SETINFO"): lambda self, asked, now: OK, ("CLIENT", "NO-EVICT"): lambda self, asked, now: OK,
    ("CLIENT", "NO-TOUCH"): lambda self, asked, now: OK, ("CLIENT", "INFO"): Session.info,
    ("CLIENT", "TRACKING"): Session.tracking, ("CLIENT", "CACHING"): Session.caching,
    ("CLIENT", "MAINT_NOTIFICATIONS"): lambda self, asked, now:
    ServerError("ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP."),
    ("READONLY",): lambda self, asked, now: OK, ("READWRITE",): lambda self, asked, now: OK,
    ("ASKING",): lambda self, asked, now: OK,
}  # fmt: skip
"""Commands that are about the connection and not about the server's state."""
