"""INFO's text out of what was pasted of it: whole or in parts, with or without its headings."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from tools.paste.texts import bytes_of
from tools.records import Scalar

_BY_BEGIN = (
    ("cmdstat_", "commandstats"), ("latency_percentiles_usec_", "latencystats"), ("errorstat_", "errorstats"),
    ("io_thread_", "threads"),
)  # fmt: skip
_DATABASE, _REPLICA = re.compile(r"db\d+"), re.compile(r"slave\d+")
_PART = re.compile(r"(?P<name>db\d+|cmdstat_[^.]+|errorstat_[^.]+|slave\d+)\.(?P<part>\w+)")
_LINE = re.compile(r"[A-Za-z][^\s:]{0,127}:")
SIZES = ("used_memory", "maxmemory", "total_system_memory")
"""How fields begin that are sizes, and are printed for people as well."""
Sections = dict[str, dict[str, str]]
"""Field to value as it was written, by section."""


@cache
def _table() -> Mapping[str, str]:
    data = tomllib.loads((Path(__file__).parent / "sections.toml").read_text(encoding="utf-8"))
    return {field: section for section, fields in data.items() for field in fields}


def section_of(field: str) -> str:
    """The section that a field stands in; that of the statistics for one that isn't known."""
    for begin, section in _BY_BEGIN:
        if field.startswith(begin):
            return section
    if _DATABASE.fullmatch(field):
        return "keyspace"
    return "replication" if _REPLICA.fullmatch(field) else _table().get(field, "stats")


def parsed(text: str) -> Sections:
    """The fields of a pasted INFO; what stands under no heading goes where the server puts it."""
    found: Sections = {}
    heading: str | None = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#"):
            # A section without fields says that there is nothing of it, such as no keys.
            found.setdefault(heading := line[1:].strip().lower(), {})
        elif _LINE.match(line):
            name, _, value = line.rpartition(":") if line.startswith("errorstat_") else line.partition(":")
            found.setdefault(heading or section_of(name), {})[name] = value.strip()
    return found


def of_figures(values: Mapping[str, Scalar]) -> Sections:
    """Figures that something else keeps under INFO's names, as INFO has them."""
    found: Sections = {}
    for name, value in values.items():
        if value is None or isinstance(value, bool):
            continue
        if name in _table():
            found.setdefault(section_of(name), {})[name] = str(value)
        elif match := _PART.fullmatch(name):
            # Such as db0.keys and cmdstat_get.calls, which INFO has in one line.
            fields = found.setdefault(section_of(match["name"]), {})
            before = fields.get(match["name"])
            fields[match["name"]] = f"{before + ',' if before else ''}{match['part']}={value}"
    return found


def with_sizes(sections: Sections) -> Sections:
    """The same with the bytes of what was copied for people only, such as `used_memory_human:2.00G`."""
    found: Sections = {}
    for section, fields in sections.items():
        found[section] = dict(fields)
        for name, value in fields.items():
            plain = name.removesuffix("_human")
            if (
                name != plain
                and plain.startswith(SIZES)
                and plain not in fields
                and (size := bytes_of(value)) is not None
            ):
                found[section][plain] = str(size)
    return found


def together(parts: Iterable[Sections]) -> Sections:
    """Parts of one moment as one; what stands in two is as in the later one."""
    whole: Sections = {}
    for part in parts:
        for section, fields in part.items():
            whole.setdefault(section, {}).update(fields)
    return whole


def written(sections: Sections) -> str:
    """The text as a server sends it."""
    return "\r\n".join(
        "".join(f"{line}\r\n" for line in (f"# {title.capitalize()}", *(f"{k}:{v}" for k, v in fields.items())))
        for title, fields in sections.items()
    )


def number(sections: Sections, field: str) -> int | None:
    """A whole number of a field, wherever it stands."""
    for fields in sections.values():
        if (value := fields.get(field, "")).isdecimal() and len(value) < 20:
            return int(value)
    return None


def word(sections: Sections, field: str) -> str:
    """A field's value; empty where it wasn't pasted."""
    return next((fields[field] for fields in sections.values() if field in fields), "")
