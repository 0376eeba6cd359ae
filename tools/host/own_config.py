"""Whether a configuration belongs to a process, if only the server itself names the file."""

import os
from collections.abc import Mapping

from tools.connection.target import Target
from tools.host.proc import Files
from tools.host.process_files import ProcessFiles, process_numbers
from tools.host.server_program import is_server

DEFAULT_PORT = "6379"
_MOST = 64
"""Bytes of a pid file."""


def is_its_own(values: Mapping[str, str], its: ProcessFiles, files: Files, target: Target) -> bool:
    """Whether a file's settings match a process: where it listens, and either its pid file or its folder.

    A server that was given other settings later, or on its command line, isn't recognised by them: then the file counts
    as another's. What a file doesn't set contradicts nothing.
    """
    if its.pid is None or not _listens(values, target):
        return False
    holder = _holder(values, its, files)
    if holder is not None:
        return holder
    return _works_there(values, its) is not False


def _listens(values: Mapping[str, str], target: Target) -> bool:
    """Whether a file has the target's port or Unix socket, whose listener was found to be the process."""
    if target.host is None:
        socket = (target.path or "").rstrip("/")
        return bool(socket) and os.path.normpath(values.get("unixsocket", "")) == os.path.normpath(socket)
    ports = {values.get("port", DEFAULT_PORT), values.get("tls-port", "0")} - {"0"}
    return str(target.port) in ports


def _holder(values: Mapping[str, str], its: ProcessFiles, files: Files) -> bool | None:
    """Whether its pid file has this process' number; null if it has none, or that of a process that is gone."""
    if its.pid is None or not (named := values.get("pidfile")):
        return None
    found = its.read(its.absolute(named), _MOST)
    if found is None or not (text := found.text.strip()).isdigit():
        return None
    if int(text) in process_numbers(files, its.pid):
        return True
    return False if is_server(int(text)) else None


def _works_there(values: Mapping[str, str], its: ProcessFiles) -> bool | None:
    """Whether the process works in the folder that a file names; null where it names none in full."""
    folder = values.get("dir", "")
    return os.path.normpath(folder) == os.path.normpath(its.folder) if folder.startswith("/") else None
