"""The limit of open files: a shell's default is for older programs, and a thousand servers need more connections."""

import contextlib

MOST = 65_536
"""Beyond which nothing here needs any."""


def allow_many_files() -> None:
    """Raise this process' soft limit as far as its hard one lets it."""
    try:
        import resource
    except ImportError:
        # Windows has no such limit.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
