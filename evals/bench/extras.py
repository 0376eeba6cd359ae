"""What each extra adds to a core install: packages, and their room on the disk, as they are installed here."""

from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.records import Record

OURS = "rediagnose"
APART = ("dev", "mutants")
"""Extras for those who work on the program."""


class Extra(Record):
    """One extra."""

    name: str
    packages: tuple[str, ...]
    """Those that the core doesn't bring."""
    bytes: int
    """Of their files."""
    missing: tuple[str, ...]
    """Packages that aren't installed here, whose own needs aren't known therefore."""


def extras() -> Iterator[Extra]:
    """All of them. Raises `PackageNotFoundError` if the program itself isn't installed."""
    own = distribution(OURS)
    core = _brought("")
    for name in own.metadata.get_all("Provides-Extra") or ():
        if name in APART:
            continue
        more = {one: found for one, found in _brought(name).items() if one not in core}
        yield Extra(
            name=name, packages=tuple(sorted(more)), bytes=sum(_size(found) for found in more.values() if found),
            missing=tuple(sorted(one for one, found in more.items() if found is None)),
        )  # fmt: skip


def _brought(extra: str) -> Mapping[str, Distribution | None]:
    """The packages that come with an extra, or with none, by name; null for one that isn't installed here."""
    found: dict[str, Distribution | None] = {}
    open_ = [(OURS, frozenset((extra,)))]
    while open_:
        name, wanted = open_.pop()
        try:
            one = distribution(name)
        except PackageNotFoundError:
            found[name] = None
            continue
        found[name] = one
        for line in one.requires or ():
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": each}) for each in (wanted or {""})):
                below = (canonicalize_name(need.name), frozenset(need.extras) or frozenset(("",)))
                if below[0] not in found:
                    open_.append(below)
    found.pop(OURS, None)
    return found


def _size(one: Distribution) -> int:
    paths = (one.locate_file(file) for file in one.files or ())
    return sum(path.stat().st_size for path in paths if path.is_file())  # type: ignore[attr-defined]
