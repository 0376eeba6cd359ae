"""Errors of client libraries in what nothing else was recognised in."""

from collections.abc import Iterable

from tools.client_errors.reading import client_error_values
from tools.client_errors.recognise import client_errors
from tools.paste.lines import Lines
from tools.paste.pieces import Piece


def client_pieces(lines: Lines, stretches: Iterable[tuple[int, int]], source: str) -> tuple[list[Piece], set[int]]:
    """A piece for each error of clients, and the stretches, by their first line, that are explained by one."""
    pieces: dict[tuple[str, str], Piece] = {}
    counts: dict[tuple[str, str], int] = {}
    explained: set[int] = set()
    for begin, end in stretches:
        text = lines.text[lines.start(begin) : lines.start(end)]
        for one in client_errors(text):
            key = (one.library, one.name)
            explained.add(begin)
            counts[key] = counts.get(key, 0) + one.count
            if key not in pieces:
                at = begin + text.count("\n", 0, one.place)
                pieces[key] = Piece(
                    form="client-error", text=one.text, values=client_error_values([one]), source=f"{source}:{at + 1}"
                )
    told = [
        piece.model_copy(update={"text": f"{piece.text} [seen {counts[key]} times]"}) if counts[key] > 1 else piece
        for key, piece in pieces.items()
    ]
    return told, explained
