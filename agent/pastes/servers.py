"""The servers that were pasted, and the moments of each."""

from dataclasses import dataclass, field

from agent.pastes.sections import Sections, number, of_figures, section_of, together, with_sizes, word
from tools.paste.headings import role_in
from tools.paste.pieces import Piece

UNNAMED = "unnamed.invalid"
"""The host of a server whose address nobody pasted: no such name ever resolves (RFC 6761)."""
USUAL_PORT = 6379
LRU_TURN = 2**24
"""INFO's `lru_clock` counts seconds up to this, and begins anew."""
STATED = {
    "total_commands_processed": "rate", "total_connections_received": "rate", "used_memory": "delta",
    "connected_clients": "", "blocked_clients": "",
}  # fmt: skip
"""INFO's fields that a line of `redis-cli --stat` has, and how their growth is given."""
IDENTITY = ("redis_version", "valkey_version", "server_name", "run_id", "process_id", "tcp_port", "redis_mode")
"""Fields that don't change within a life."""
CLUSTERED = ("cluster-info", "cluster-nodes", "cluster-shards", "cluster-slots")
"""Forms that only a node of a cluster answers."""
SLACK = 5
"""Seconds by which clocks of different machines may differ, and the figures be rounded."""


@dataclass
class Moment:
    """What was pasted of one moment of a server's life."""

    info: Sections
    pieces: list[Piece] = field(default_factory=list)
    """The INFO that it's made of."""

    @property
    def uptime(self) -> int | None:
        """Seconds that the server had run for."""
        return number(self.info, "uptime_in_seconds")

    @property
    def at(self) -> float | None:
        """When it was by the server's own clock, else by where it stood."""
        if (usec := number(self.info, "server_time_usec")) is not None:
            return usec / 1e6
        return max((one.at for one in self.pieces if one.at is not None), default=None)


@dataclass
class Server:
    """What was pasted of one server."""

    node: str | None = None
    """host:port, where one was named."""
    label: str | None = None
    """What a heading or a file's name calls it."""
    run_id: str = ""
    moments: list[Moment] = field(default_factory=list)
    """In the order of its life."""
    others: list[Piece] = field(default_factory=list)
    """Pieces that are no INFO."""
    stated: float = 0.0
    """Seconds that lines of `redis-cli --stat` span, if nothing else was sampled twice."""
    number: int = 1
    """Which of those without an address it is."""

    @property
    def pieces(self) -> int:
        """How many there are of it."""
        return sum(len(one.pieces) for one in self.moments) + len(self.others)

    @property
    def port(self) -> int:
        """Its port, as far as it's known."""
        ports = [number(one.info, name) for one in self.moments for name in ("tcp_port",)]
        usual = 26379 if self.is_sentinel else USUAL_PORT
        return next((port for port in ports if port and port < 65536), usual)

    @property
    def name(self) -> str:
        """host:port; of a server that nobody named under a host that doesn't exist."""
        return self.node or f"{f'{self.number}.' if self.number > 1 else ''}{UNNAMED}:{self.port}"

    @property
    def role(self) -> str:
        """master, replica or sentinel; empty where nothing says it."""
        if self.is_sentinel:
            return "sentinel"
        role = self.said("role") or role_in(self.label or "") or ""
        return {"slave": "replica"}.get(role, role)

    @property
    def is_sentinel(self) -> bool:
        """Whether only a sentinel says this."""
        return self.said("redis_mode") == "sentinel" or any(one.form == "sentinel" for one in self.others)

    def said(self, name: str) -> str:
        """A field of its newest INFO that has it; empty where none does."""
        return next((value for one in reversed(self.moments) if (value := word(one.info, name))), "")

    def add(self, piece: Piece, info: Sections) -> None:
        """Put an INFO to its moment: another uptime is another moment, and a part without one is of the last."""
        last, uptime = (self.moments[-1] if self.moments else None), number(info, "uptime_in_seconds")
        if last and uptime is None and last.uptime is None and _is_later(last, piece):
            # Nothing but the time of a series' points says how far they're apart.
            last.info = together((last.info, _clock(last.at)))
            self.moments.append(Moment(together((info, _clock(piece.at))), [piece]))
            return
        if last is None or (uptime is not None and last.uptime not in (None, uptime)):
            self.moments.append(Moment(info, [piece]))
            return
        # What prose quotes is weaker than what the server printed.
        last.info = together((info, last.info) if piece.cut and uptime is None else (last.info, info))
        last.pieces.append(piece)

    def settle(self) -> None:
        """Order the moments, and leave out those of an earlier life."""
        if all(one.uptime is not None for one in self.moments):
            ids = [word(one.info, "run_id") for one in self.moments]
            if len(set(ids)) > 1:
                # Which life is the newer one, only the clock or the order of the paste shows.
                newest = max(self.moments, key=lambda one: (one.at or 0.0, self.moments.index(one)))
                newest_id = word(newest.info, "run_id")
                self.moments = [one for one in self.moments if word(one.info, "run_id") == newest_id]
            self.moments.sort(key=lambda one: one.uptime or 0)
        self._infer()
        stats = [one for one in self.others if one.form == "stat" and one.values]
        if stats and len(self.moments) < 2:
            self._sample_by(stats[-1])

    def _infer(self) -> None:
        """Fill in what other replies say under names that INFO has for the same."""
        told: dict[str, str] = {}
        for piece in self.others:
            if piece.form in CLUSTERED:
                told |= {"cluster_enabled": "1", "redis_mode": "cluster"}
            elif piece.form == "role":
                told |= _of_role(piece.reply)
        new: Sections = {}
        for name, value in told.items():
            if not self.said(name):
                new.setdefault(section_of(name), {})[name] = value
        if new and self.moments:
            self.moments[-1].info = together((new, self.moments[-1].info))
        elif new:
            self.moments.append(Moment(new))
        for moment in self.moments:
            moment.info = with_sizes(moment.info)

    def _sample_by(self, stat: Piece) -> None:
        """Take `redis-cli --stat`, a line a second, for two samples of what its lines hold."""
        values = stat.values or {}
        last = {name: value for name in STATED if isinstance(value := values.get(name), int)}
        if self.moments:
            self.moments[-1].info = together((self.moments[-1].info, of_figures(last)))
        else:
            self.moments.append(Moment(of_figures(last), [stat]))
        lines, uptime = values.get("lines"), self.moments[-1].uptime
        if not isinstance(lines, int) or lines < 2:
            return
        self.stated = float(lines - 1)
        first = dict(last)
        for name, how in STATED.items():
            grown = values.get(f"{name}.{how}")
            if name in first and isinstance(grown, int | float):
                first[name] -= round(grown * (self.stated if how == "rate" else 1))
        if uptime is not None:
            first["uptime_in_seconds"] = max(0, uptime - lines + 1)
        same = {section: {name: fields[name] for name in IDENTITY if name in fields}
                for section, fields in self.moments[-1].info.items()}  # fmt: skip
        self.moments.insert(0, Moment(together((same, of_figures(first)))))


def _is_later(last: Moment, piece: Piece) -> bool:
    """Whether a piece of figures was measured clearly after the others, which are of that kind, too."""
    measured = piece.form == "metrics" and all(one.form == "metrics" for one in last.pieces)
    return measured and piece.at is not None and last.at is not None and piece.at - last.at > SLACK


def _clock(at: float | None) -> Sections:
    return of_figures({"server_time_usec": round((at or 0) * 1e6)})


def _of_role(reply: object) -> dict[str, str]:
    """What ROLE says, as INFO has it."""
    words = list(reply) if isinstance(reply, list | tuple) else []
    if words[:1] == ["master"]:
        replicas = words[2] if len(words) > 2 and isinstance(words[2], list | tuple) else ()
        return {"role": "master", "connected_slaves": str(len(replicas))}
    if words[:1] == ["slave"] and len(words) > 3:
        link = "up" if words[3] == "connected" else "down"
        return {"role": "slave", "master_host": str(words[1]), "master_port": str(words[2]), "master_link_status": link}
    return {}


def may_be(server: Server, info: Sections) -> bool:
    """Whether an INFO may be of this server: of the same life, or of another one that didn't run at the same time."""
    run_id, port = word(info, "run_id"), number(info, "tcp_port")
    if not server.moments:
        return True
    mode = word(info, "redis_mode")
    if mode and (known := server.said("redis_mode")) and "sentinel" in (mode, known) and mode != known:
        return False
    if port is not None and server.said("tcp_port") and port != server.port:
        return False
    if not run_id or not server.run_id:
        return True
    if run_id == server.run_id:
        return True
    if port is None:
        return False
    if (together_ := _ran_together(server.moments[-1].info, info)) is not None:
        return not together_
    role = word(info, "role")
    return not (role and server.said("role") and role != server.said("role"))


def _ran_together(one: Sections, other: Sections) -> bool | None:
    """Whether two lives overlapped, by the servers' own clocks; None where they don't say."""
    figures = [number(info, name) for info in (one, other) for name in ("lru_clock", "uptime_in_seconds")]
    if None in figures:
        return None
    first, first_up, second, second_up = (figure or 0 for figure in figures)
    apart = (second - first + LRU_TURN // 2) % LRU_TURN - LRU_TURN // 2
    # The later one ran already when the earlier one was looked at.
    return second_up > apart + SLACK if apart >= 0 else first_up > -apart + SLACK
