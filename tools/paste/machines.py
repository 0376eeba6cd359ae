"""What a machine's own tools print of it: free, top, uptime, vmstat's kin, df, ss and netstat."""

import re
from collections import Counter

from tools.paste.found import Found, hidden
from tools.paste.lines import Lines
from tools.paste.pieces import Form
from tools.paste.prompts import Prompt
from tools.patterns import deferred
from tools.records import Values

_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"(\d{1,15}(?:[.,]\d{1,3})?)([bkmgt]?)i?b?", re.IGNORECASE)
_FREE = deferred(r"\s+total\s+used\s+free(?:\s+[\w/]+){0,5}\s*")
_TOP = deferred(r"\s{0,20}top - \d\d:\d\d:\d\d up .{0,200}|.{0,100}\bload averages?: [\d., ]{5,40}")
_LOAD = re.compile(r"load averages?: (\d{1,5}[.,]\d\d),? (\d{1,5}[.,]\d\d),? (\d{1,5}[.,]\d\d)")
_CPU = re.compile(r"%?Cpu\(s\):")
_SHARE = re.compile(r"(\d{1,3}[.,]\d{1,2})[ %]{1,2}(us|sy|ni|id|wa|hi|si|st)\b")
_TOP_MEMORY = re.compile(r"(?P<unit>[KMGT])iB (?P<what>Mem|Swap)\s?: {1,9}(?P<figures>[^\n]{0,200})")
_FIGURE = re.compile(r"(\d{1,12}(?:[.,]\d{1,3})?)\+? (total|free|used|avail Mem)")
_IOSTAT = deferred(r"\s{0,20}avg-cpu: (?:\s{1,9}%[a-z]+){4,8}\s*")
_DF = deferred(
    r"\s{0,20}Filesystem\s{1,200}(?:Type\s{1,20})?(?P<unit>1K-blocks|1M-blocks|1024-blocks|Size)\s{1,20}Used\s{1,20}Avail\w{0,6}"
    r"\s{1,20}(?:Use%|Capacity)\s{1,20}Mounted on\s*"
)
_DF_ROW = re.compile(
    r"\s{0,20}\S{1,200}\s{1,200}(?:[a-z]\S{1,20}\s{1,20})?(?P<size>[\d.]{1,18}[KMGTP]?)i?\s{1,20}[\d.]{1,18}[KMGTP]?i?"
    r"\s{1,20}(?P<free>[\d.]{1,18}[KMGTP]?)i?\s{1,20}(?P<used>\d{1,3})%\s{1,20}(?P<at>/\S{0,300})"
)
_DATA = re.compile(r"redis|valkey|keydb", re.IGNORECASE)
_SOCKET = re.compile(
    r"\s{0,20}(?:tcp6?\s+)?(?:(?P<ss>LISTEN|ESTAB|SYN-RECV|CLOSE-WAIT|TIME-WAIT|FIN-WAIT-[12]|LAST-ACK|CLOSING)\s+)?"
    r"(?P<recv>\d{1,10})\s+(?P<send>\d{1,10})\s+(?P<local>\S{1,60}):(?P<port>\d{1,5})\s+"
    r"(?P<peer>\S{1,60}):(?P<to>\d{1,5}|\*)"
    r"(?:\s+(?P<netstat>LISTEN|ESTABLISHED|SYN_RECV|CLOSE_WAIT|TIME_WAIT|FIN_WAIT[12]|LAST_ACK|CLOSING))?(?P<rest>\s[^\n]{0,300})?"
)  # fmt: skip
_SOCKET_HEAD = re.compile(r"\s{0,20}(?:State\s+Recv-Q|(?:Netid|Proto)\s+|Active Internet)")
_OVERFLOWS = re.compile(r"\s{0,20}(\d{1,18}) times the listen queue of a socket overflowed\s*")
_DROPS = re.compile(r"\s{0,20}(\d{1,18}) SYNs to LISTEN sockets (?:dropped|ignored)\s*")
_STATES = {"estab": "established", "fin_wait_1": "fin_wait1", "fin_wait_2": "fin_wait2"}
_OWN = re.compile(r"redis-server|valkey-server|keydb-server")
USUAL = "6379"
MOST = 20_000


def _bytes(text: str, unit: str = "") -> int:
    found = _SIZE.fullmatch(text)
    if not found:
        return 0
    return round(float(found[1].replace(",", ".")) * _UNITS[(found[2] or unit).lower()])


def _found(form: Form, lines: Lines, begin: int, end: int, above: Prompt | None, values: Values) -> Found | None:
    if not values:
        return None
    return Found(end, form, hidden(lines.texts(begin, min(end, begin + 200))), values=values)


def memory(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """free's table. Its unit stands in the command line above it; else its figures show it."""
    if not _FREE.fullmatch(lines[at].text):
        return None
    names, end, rows = lines[at].text.split(), at + 1, dict[str, list[str]]()
    while end < len(lines) and (cells := lines[end].text.split()) and cells[0] in ("Mem:", "Swap:", "-/+", "Total:"):
        rows[cells[0]] = cells[1:]
        end += 1
    if "Mem:" not in rows:
        return None
    asked = re.search(r"\bfree\b[^|\n]{0,40}?\s-\w{0,3}([bkmg])\b", lines[at - 1].text if at else "")
    total = rows["Mem:"][0]
    unit = asked[1] if asked else "m" if total.isdecimal() and int(total) < 2_000_000 else "k"
    size = {name: _bytes(cell, unit) for name, cell in zip(names, rows["Mem:"], strict=False)}
    values: Values = {"memory_total_bytes": size.get("total"), "memory_available_bytes": size.get("available")}
    if len(swap := rows.get("Swap:", [])) > 1:
        values |= {"swap_total_bytes": _bytes(swap[0], unit), "swap_used_bytes": _bytes(swap[1], unit)}
    return _found("machine", lines, at, end, above, values)


def busy(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """top's head, uptime, or iostat's processors: the last of several counts."""
    if not _TOP.fullmatch(lines[at].text) and not _IOSTAT.fullmatch(lines[at].text):
        return None
    values: Values = {}
    end = at
    if _IOSTAT.fullmatch(lines[at].text):
        names, cells = lines[at].text.split()[1:], lines[at + 1].text.split()
        share = {name: float(cell) / 100 for name, cell in zip(names, cells, strict=False)
                 if re.fullmatch(r"\d{1,3}\.\d{1,2}", cell)}  # fmt: skip
        return _found("machine", lines, at, at + 2, above, _shares(
            share.get("%idle"), share.get("%iowait"), share.get("%steal")))  # fmt: skip
    while end < len(lines) and not lines[end].fence and end - at < 60:
        text = lines[end].text
        if load := _LOAD.search(text):
            values |= {f"load{span}": float(load[place].replace(",", "."))
                       for place, span in enumerate((1, 5, 15), 1)}  # fmt: skip
        elif _CPU.search(text):
            told = {name: float(figure.replace(",", ".")) / 100 for figure, name in _SHARE.findall(text)}
            values |= _shares(told.get("id"), told.get("wa"), told.get("st"))
        elif found := _TOP_MEMORY.search(text):
            size = {name: _bytes(figure, found["unit"]) for figure, name in _FIGURE.findall(found["figures"])}
            if found["what"] == "Mem":
                values["memory_total_bytes"] = size.get("total")
            else:
                values |= {"swap_total_bytes": size.get("total"), "swap_used_bytes": size.get("used"),
                           "memory_available_bytes": size.get("avail Mem")}  # fmt: skip
        elif not text.strip() or text.startswith(("Tasks:", "Threads:")) or "PID" in text.split():
            pass
        elif not re.match(r"\s{0,12}\d{1,8}\s+[\w+-]{1,32}\s+(?:\d{1,3}|-\d{1,3}|rt)\s+-?\d{1,3}\s", text):
            break
        end += 1
    while end > at + 1 and lines[end - 1].blank:
        end -= 1
    return _found("machine", lines, at, end, above, {name: one for name, one in values.items() if one is not None})


def _shares(idle: float | None, wait: float | None, steal: float | None) -> Values:
    values: Values = {"cpu_iowait_share": wait, "cpu_steal_share": steal}
    if idle is not None:
        values["cpu_busy_share"] = round(max(0.0, 1 - idle - (wait or 0)), 3)
    return {name: round(one, 3) for name, one in values.items() if isinstance(one, float)}


def disks(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """df's table: of the file system whose mount point is named for the server; of others nobody says whose."""
    head = _DF.fullmatch(lines[at].text)
    if not head:
        return None
    unit = {"1M-blocks": "m", "Size": ""}.get(head["unit"], "k")
    end, rows = at + 1, dict[str, re.Match[str]]()
    while end < len(lines) and (row := _DF_ROW.match(lines[end].text)):
        rows[row["at"]] = row
        end += 1
    folder = next((path for path in rows if _DATA.search(path)), None)
    if folder is None:
        return None
    row = rows[folder]
    return _found("disk", lines, at, end, above, {
        "dir": folder, "dir_total_bytes": _bytes(row["size"], unit), "dir_free_bytes": _bytes(row["free"], unit),
        "dir_used_share": int(row["used"]) / 100,
    })  # fmt: skip


def socket_list(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """What ss and netstat list of the server's port, and the kernel's counters of full listen queues."""
    begin, states, peers = at, Counter[str](), Counter[str]()
    values: Values = {}
    ports, listens = set[str](), dict[str, None]()
    while at < len(lines) and not lines[at].fence and at - begin < MOST:
        text = lines[at].text
        if found := _OVERFLOWS.fullmatch(text):
            values["ListenOverflows"] = int(found[1])
        elif found := _DROPS.fullmatch(text):
            values["ListenDrops"] = int(found[1])
        elif (found := _SOCKET.fullmatch(text)) and (written := found["ss"] or found["netstat"]):
            if found["port"] == USUAL or _OWN.search(found["rest"] or ""):
                ports.add(found["port"])
                state = written.lower().replace("-", "_")
                if state == "listen":
                    listens[found["local"].strip("[]")] = None
                    values["recv_q"] = int(str(values.get("recv_q") or 0)) + int(found["recv"])
                    if found["ss"]:
                        # netstat has no limit there.
                        values["send_q"] = max(int(str(values.get("send_q") or 0)), int(found["send"]))
                else:
                    states[_STATES.get(state, state)] += 1
                    peers[found["peer"]] += 1
        elif not (_SOCKET_HEAD.match(text) or (at > begin and not text.strip())):
            break
        at += 1
    while at > begin and lines[at - 1].blank:
        at -= 1
    if at == begin or not (ports or values):
        return None
    values |= {**dict(states), **({"listens_at": " ".join(listens)} if listens else {})}
    for rank, (peer, count) in enumerate(peers.most_common(3), 1):
        values |= {f"peer{rank}.address": peer, f"peer{rank}.count": count}
    return _found("sockets", lines, begin, at, above, values)


MACHINES = (memory, busy, disks, socket_list)
