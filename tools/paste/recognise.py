"""From a text to its pieces. One pass over its lines; each form knows how its first line looks."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from tools.connection.shapes import SHAPES
from tools.paste.clients import client_pieces
from tools.paste.configuration import config_file
from tools.paste.containers import container_state
from tools.paste.dumps import dumped
from tools.paste.found import ELIDED, Found, hidden, of_reply
from tools.paste.headings import label
from tools.paste.host_facts import host_facts
from tools.paste.human import BEGINS, SCALAR, parse, scalar
from tools.paste.kubernetes import KUBERNETES, describe
from tools.paste.lines import Lines, moment
from tools.paste.logs import LOGS
from tools.paste.machines import MACHINES
from tools.paste.metrics import exposition
from tools.paste.modes import MODES, big_keys
from tools.paste.pieces import Piece, Recognised, Stretch
from tools.paste.prompts import Prompt, prompt
from tools.paste.prose import FRAMES, LEAST, is_prose, prose
from tools.paste.raw import raw
from tools.paste.replies import identified
from tools.paste.series import exported_rows
from tools.paste.services import Point, named, of_points, table
from tools.paste.structured import Structured
from tools.paste.texts import TEXTS, cluster_nodes, inline
from tools.paste.wire import wire
from tools.patterns import deferred
from tools.text import one_line

MOST_PIECES = 500
"""Pieces of one text; more are no incident's, and what stands behind them isn't read."""
MOST_STRETCHES = 100
_WORDS = 80
"""Characters of a stretch that are shown."""
_SPAN = 100_000
"""Lines of one list at most."""
_NOISE = deferred(
    r"\s*(?:Warning: Using a password with|Defaulted container|Unable to use a TTY|WARNING: .{0,40}password|"
    r"OK\s*$|QUEUED\s*$|\(\d{1,6}\.\d\ds\)\s*$|\d{1,6}\.\d{1,3}s\s*$)"
)
"""What redis-cli and kubectl print beside a reply."""
_FAR, _FAR_CHARACTERS = 100, 64 * 1024
"""Lines and characters that a form may look ahead without anything coming of it."""
_DULL = 10_000
"""Lines that are remembered as being nothing by themselves: when they come again they aren't asked about."""
_QUOTED_LEAST = 3
"""Fields from which on lines that quote them count as understood."""
Recogniser = Callable[[Lines, int, Prompt | None], Found | None]


def numbered(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """redis-cli's list with numbers, or a single value below its prompt."""
    first = BEGINS.match(lines[at].text)
    if not first:
        return _scalar(lines, at, above)
    column = first.end("list")
    end = at + 1
    while end < min(len(lines), at + _SPAN) and not lines[end].fence:
        text = lines[end].text
        found = BEGINS.match(text)
        if (
            found
            and found["list"].lstrip().startswith(("1) ", "1# ", "1~ "))
            and found.end("list") <= column
            and _top(found["list"])
        ):
            break
        if not found and not _goes_on(lines, end):
            break
        end += 1
    while end > at + 1 and lines[end - 1].blank:
        end -= 1
    try:
        value, cut = parse([text for text in lines.texts(at, end) if text.strip()])
    except ValueError:
        return None
    found_reply = identified(value, above.command if above and above.typed else None, cut) or identified(
        value, None, cut
    )
    return of_reply(end, found_reply, above) if found_reply else None


def _top(written: str) -> bool:
    """Whether the numbers that begin a line begin a list, as far as there is no indentation."""
    return not written[0].isspace() and written.split()[0][:-1] == "1"


def _goes_on(lines: Lines, at: int) -> bool:
    """Whether a line without a number belongs to the list: a text's wrapped end, or a gap."""
    text = lines[at].text
    if lines[at].blank:
        return BEGINS.match(lines[at + 1].text) is not None
    before = lines[at - 1].text
    opened = before.count('"') - before.count('\\"')
    if opened % 2 == 1 and text.rstrip().endswith('"'):
        return True
    return text.strip() in ("...", "…", "[...]", "....") and BEGINS.match(lines[at + 1].text) is not None


def _scalar(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    if above is None or above.command is None or not above.typed or not SCALAR.fullmatch(lines[at].text):
        return None
    if not _is_known(above.command):
        return None
    try:
        found = identified(scalar(lines[at].text), above.command)
    except ValueError:
        return None
    return of_reply(at + 1, found, above) if found else None


def _is_known(command: tuple[str, ...]) -> bool:
    name = "|".join(command[:2]).lower()
    return name in SHAPES or command[0].lower() in SHAPES


PLAIN: tuple[Recogniser, ...] = (
    host_facts,
    *LOGS,
    numbered,
    *TEXTS,
    *MODES,
    wire,
    dumped,
    raw,
    exposition,
    table,
    exported_rows,
    *KUBERNETES,
    container_state,
    *MACHINES,
    config_file,
)
"""The forms that are lines of text, the most certain first."""

_NEVER_NUMBERS = frozenset((host_facts, exposition, config_file, big_keys, describe, *TEXTS)) - {cluster_nodes}
"""Forms that no digit begins: a long list of anything is asked about the others only."""


def recognise(text: str, source: str) -> Recognised:
    """The pieces of a text, and what of it couldn't be recognised."""
    lines = Lines(text)
    pieces: list[Piece] = []
    unknown: list[tuple[int, int]] = []
    used: set[int] = set()
    structured = Structured(lambda inner: _pieces_of(inner, PLAIN))
    for begin, what in _found(lines, (*PLAIN, structured)):
        if isinstance(what, int):
            quoted = list(_quoted(lines, begin, what, source))
            if any(one.text.count("\n") >= _QUOTED_LEAST for one in quoted):
                used.add(begin)
            pieces += quoted
            unknown.append((begin, what))
        else:
            pieces += (_piece(lines, begin, one, source) for one in (what, *what.others))
            if len(pieces) >= MOST_PIECES:
                unknown.append((what.end, len(lines)))
                break
    of_clients, explained = client_pieces(lines, unknown, source)
    left = (_stretch(lines, *stretch, source) for stretch in unknown if stretch[0] not in explained | used)
    stretches = tuple(islice(filter(None, left), MOST_STRETCHES))
    written = prose(lines, unknown) if pieces or of_clients else ""
    return Recognised(pieces=(*pieces, *of_clients), unrecognised=stretches, prose=written)


def _pieces_of(lines: Lines, recognisers: Sequence[Recogniser]) -> Iterator[Found]:
    """The pieces of a text inside of another."""
    for _, what in _found(lines, recognisers):
        if not isinstance(what, int):
            yield from (what._replace(others=()), *what.others)


def _found(lines: Lines, recognisers: Sequence[Recogniser]) -> Iterator[tuple[int, Found | int]]:
    """Each piece by its first line, and each stretch that is none, with its end."""
    above: Prompt | None = None
    at = 0
    unknown: int | None = None
    elided = False
    heading: str | None = None
    barred: dict[Recogniser, int] = {}
    dull: set[str] = set()
    while at < len(lines):
        line = lines[at]
        known = line.text in dull or line.text.startswith(FRAMES)
        if unknown is not None and above is None and known and not line.program:
            at += 1
            continue
        if line.blank:
            if line.fence and unknown is not None:
                yield unknown, at
                unknown = None
            at += 1
            continue
        asked = prompt(line.text)
        found = None if asked else _first(lines, at, above, recognisers, barred)
        if (asked or found) and unknown is not None:
            yield unknown, at
            unknown = None
        if asked:
            above = asked
            at += 1
        elif found:
            end = max(found.end, at + 1)
            gap = bool(ELIDED.fullmatch(lines[end].text)) and not lines[end].blank
            if gap or elided:
                found = found._replace(cut=True)
            if heading:
                found = found._replace(label=heading, others=tuple(one._replace(label=heading) for one in found.others))
            yield at, found
            at, above, elided = end + gap, None, False
        elif unknown is None and (ELIDED.fullmatch(line.text) or _NOISE.match(line.text)):
            elided = elided or not _NOISE.match(line.text)
            at += 1
        else:
            named = label(line.text)
            heading = named or heading
            alone = lines.furthest == at and above is None and all(at >= until for until in barred.values())
            if alone and not named and len(dull) < _DULL:
                dull.add(line.text)
            unknown, elided = at if unknown is None else unknown, False
            # What stands below a command and isn't known ends its output only where it was prose.
            above = above if above and above.mode else None
            at += 1
    if unknown is not None:
        yield unknown, len(lines)


def _first(
    lines: Lines, at: int, above: Prompt | None, recognisers: Sequence[Recogniser], barred: dict[Recogniser, int]
) -> Found | None:
    """What the first form that knows it makes of a line.

    One that read on for long and found nothing isn't asked again within what it has read: else a paste of many such
    beginnings would take the square of its length.
    """
    ahead = at
    number = above is None and lines[at].text.lstrip()[:1].isdecimal()
    for how in recognisers:
        if number and how in _NEVER_NUMBERS:
            continue
        if barred and at < barred.get(how, 0):
            continue
        lines.furthest = at
        if (found := how(lines, at, above)) is not None:
            return found
        if lines.furthest > at:
            far = min(lines.furthest, len(lines))
            if far - at > _FAR or lines.start(far) - lines.start(at) > _FAR_CHARACTERS:
                barred[how] = lines.furthest
            ahead = lines.furthest
    lines.furthest = ahead
    return None


def _piece(lines: Lines, begin: int, found: Found, source: str) -> Piece:
    stamp = lines[begin].stamp
    return Piece(
        form=found.form, command=found.command, reply=found.reply, text=found.text, values=found.values,
        label=found.label,
        source=_place(source, begin, found.end), node=found.node, cut=found.cut,
        at=found.at if found.at is not None else moment(stamp) if stamp else None,
    )  # fmt: skip


def _quoted(lines: Lines, begin: int, end: int, source: str) -> Iterator[Piece]:
    """What prose quotes: fields of INFO as an INFO of a few fields, and a service's metrics."""
    fields: dict[str, str] = {}
    points: list[Point] = []
    quoting: list[str] = []
    for at in range(begin, min(end, begin + 2000)):
        text = lines[at].text
        for name, value in inline(text).items():
            fields.setdefault(name, value)
        if found := named(text):
            points += found
            quoting.append(text)
    if fields:
        text = "".join(f"{name}:{value}\r\n" for name, value in fields.items())
        info = Found(end, "info", text.replace("\r\n", "\n"), ("INFO",), text, cut=True)
        yield _piece(lines, begin, info, source)
    if points and (metrics := of_points(end, points, hidden(quoting[:200]))):
        yield _piece(lines, begin, metrics._replace(cut=True), source)


def _stretch(lines: Lines, begin: int, end: int, source: str) -> Stretch | None:
    head = [text for text in lines.texts(begin, min(end, begin + 20)) if text.strip()]
    if not head or all(map(label, head)):
        return None
    told = any(map(is_prose, head)) and all(is_prose(text) or label(text) or len(text.split()) < LEAST for text in head)
    count = sum(not lines[at].blank for at in range(begin, min(end, begin + 10_000)))
    words = one_line(hidden(text[:2000] for text in head), _WORDS)
    return Stretch(source=_place(source, begin, end), lines=count, words=words, prose=told)


def _place(source: str, begin: int, end: int) -> str:
    return f"{source}:{begin + 1}" if end - begin <= 1 else f"{source}:{begin + 1}-{end}"
