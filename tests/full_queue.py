"""A listener whose queue of connects is full: whoever dials it gets no answer."""

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def full_queue() -> Iterator[int]:
    """The port of one."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as opened:
        port: int = listener.getsockname()[1]
        for _ in range(2):
            one = opened.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port
