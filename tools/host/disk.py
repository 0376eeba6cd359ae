"""The file systems that the server writes to: those of its data folder and its log."""

import os
import os.path
import re
from collections.abc import Sequence

from tools.errors import Unanswered
from tools.host.config_file import Configuration, configuration
from tools.host.listener import Place
from tools.host.local import Host, offload
from tools.host.proc import Files
from tools.host.process import plain_path
from tools.host.process_files import ProcessFiles
from tools.patterns import deferred
from tools.records import Values
from tools.toolbox import reads

MOST = 5000
"""Names that are looked through in a folder."""
_NAMED = deferred(r"^file (\S{1,255}) seq \d{1,10} type ([bi])\b", re.MULTILINE)
"""A line of the append-only log's manifest; files of type h are history, which a start ignores."""
_TEMPORARY = deferred(r"temp-.*\.(rdb|aof)")


@reads
async def disk(host: Host) -> Values:
    """Space and inodes where the server keeps its data and its log.

    `dir_*` is of the data folder, `log_*` of the log's. Sizes in bytes; `free` is what a user who isn't root may still
    write, `used_share` 0 to 1 of that; `inodes_*` are null where the file system doesn't count them. `read_only` is
    how it's mounted. `temp_count` and `temp_bytes` are of temp-*.rdb and temp-*.aof: one being written, or leftovers of
    aborted saves. `aof_missing_base` and `aof_missing_incr` count files that the append-only log's manifest names and
    that aren't there. `dir_owner` and `dir_mode` are the folder's user and its mode in octal, `server_user` is the
    server's own, and `dir_writable` whether that user may create a file there; `dir_gone` is true if the process'
    working folder was deleted.
    """
    place = await host.local_place()
    values = await offload(_disk_values, host, place)
    if values["dir_total_bytes"] is None and values["log_total_bytes"] is None:
        raise Unanswered("not-local", "the server's folder isn't known, or can't be seen by this user",
                         host.provenance(place) | values)  # fmt: skip
    return {**host.provenance(place), **values}


def _disk_values(host: Host, place: Place) -> Values:
    files, config = host.files, configuration(host, place)
    base = f"/proc/{place.pid}/cwd" if place.pid else ""
    if (not base or files.space(base) is None) and (folder := config.values.get("dir", "")).startswith("/"):
        base = folder
    log = _log_folder(host, place, config)
    return {
        **_space_values(files, place, "dir", base), **_rights(host, place, base), **_data_files(files, base, config),
        **_space_values(files, place, "log", log),
    }  # fmt: skip


def _rights(host: Host, place: Place, folder: str) -> Values:
    """Who owns the data folder, and whether the server's own process may write to it; only on this machine."""
    unknown: Values = dict.fromkeys(("dir_owner", "dir_mode", "server_user", "dir_writable", "dir_gone"))
    if host.facts is not None or place.pid is None or not folder:
        return unknown
    its = ProcessFiles(host.files, place.pid)
    try:
        found = os.stat(folder)
    except OSError:
        return unknown
    user = its.user
    return {
        "dir_owner": found.st_uid, "dir_mode": f"{found.st_mode & 0o7777:o}", "server_user": user.uid if user else None,
        # Creating a file requires permission to write to the folder and to pass through it.
        "dir_writable": user.may(found, 3) if user else None,
        "dir_gone": (host.files.link(folder) or "").endswith(" (deleted)"),
    }  # fmt: skip


def _log_folder(host: Host, place: Place, config: Configuration) -> str:
    """The folder of the log: where it was found when it was read, else as the server's own process vouches for."""
    if host.facts and host.facts.log:
        return os.path.dirname(host.facts.log)
    if host.log_path is not None:
        return os.path.dirname(host.log_path)
    logfile = config.values.get("logfile", "")
    if place.locality == "local" and host.logfile is not None:
        logfile = host.logfile
    if logfile.startswith("/"):
        # For a server in a container it's the container's folder.
        return (
            f"/proc/{place.pid}/root{os.path.dirname(logfile)}"
            if place.pid and not host.facts
            else os.path.dirname(logfile)
        )
    return f"/proc/{place.pid}/cwd" if logfile and place.pid else ""


def _space_values(files: Files, place: Place, prefix: str, folder: str) -> Values:
    space = files.space(folder) if folder else None
    bare = re.sub(r"^/proc/\d+/root(?=/)", "", folder)
    real = files.link(folder) or (bare if not bare.startswith("/proc/") else None)
    kind, read_only = _mount(files, place.pid, real) if real else (None, None)
    usable = (space.used + space.free) if space else 0
    return {
        prefix: plain_path(real.removesuffix(" (deleted)")) if real else None,
        f"{prefix}_total_bytes": space.total if space else None, f"{prefix}_free_bytes": space.free if space else None,
        f"{prefix}_used_share": round(space.used / usable, 4) if space and usable else None,
        f"{prefix}_inodes_total": space.inodes or None if space else None,
        f"{prefix}_inodes_free": space.inodes_free if space and space.inodes else None,
        f"{prefix}_fstype": kind, f"{prefix}_read_only": read_only,
    }  # fmt: skip


def _mount(files: Files, pid: int | None, path: str) -> tuple[str | None, bool | None]:
    """Type of the file system that a path is on and whether it's mounted read-only, as the process sees it."""
    best: tuple[int, str, bool] | None = None
    for line in (files.text(f"/proc/{pid or 'self'}/mounts") or "").splitlines():
        fields = line.split()
        # A later mount on the same point hides the earlier one.
        if len(fields) > 3 and (path + "/").startswith(fields[1].rstrip("/") + "/"):
            found = len(fields[1]), fields[2], fields[3].split(",")[0] == "ro"
            best = found if best is None or found[0] >= best[0] else best
    return (best[1], best[2]) if best else (None, None)


def _data_files(files: Files, folder: str, config: Configuration) -> Values:
    if not folder or (names := files.names(folder)) is None:
        fields = ("rdb_bytes", "rdb_files", "aof_bytes", "aof_files", "aof_missing_base", "aof_missing_incr",
                  "temp_bytes", "temp_count")  # fmt: skip
        return dict.fromkeys(fields)
    rdb, aof = config.values.get("dbfilename", "dump.rdb"), config.values.get("appendfilename", "appendonly.aof")
    parts = config.values.get("appenddirname", "appendonlydir")
    # Each is a name in the data folder; the server takes nothing else.
    rdb, aof, parts = (os.path.basename(name) for name in (rdb, aof, parts))
    temporary = [name for name in names[:MOST] if _TEMPORARY.fullmatch(name)]
    dumps = [name for name in names[:MOST] if name == rdb or (name.endswith(".rdb") and name not in temporary)]
    logs = [f"{folder}/{name}" for name in names[:MOST] if name.startswith(aof)]
    inside = files.names(f"{folder}/{parts}") or []
    logs += [f"{folder}/{parts}/{name}" for name in inside[:MOST] if not _TEMPORARY.fullmatch(name)]
    temporary += [f"{parts}/{name}" for name in inside[:MOST] if _TEMPORARY.fullmatch(name)]

    def summed(paths: list[str]) -> tuple[int, int]:
        sizes = [size for path in paths if (size := files.size(path)) is not None]
        return sum(sizes), len(sizes)

    values: Values = {}
    values["rdb_bytes"], values["rdb_files"] = summed([f"{folder}/{name}" for name in dumps])
    values["aof_bytes"], values["aof_files"] = summed(logs)
    gone = _missing(files.text(f"{folder}/{parts}/{aof}.manifest"), inside)
    values["aof_missing_base"], values["aof_missing_incr"] = gone
    values["temp_bytes"], values["temp_count"] = summed([f"{folder}/{name}" for name in temporary])
    return values


def _missing(manifest: str | None, names: Sequence[str]) -> tuple[int | None, int | None]:
    """How many base files and increments named in a manifest are missing; null without a manifest."""
    if manifest is None:
        return None, None
    named = [(found[1], found[2]) for found in _NAMED.finditer(manifest)]
    base, incr = (sum(kind == of and name not in names for name, kind in named) for of in "bi")
    return base, incr
