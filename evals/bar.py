"""A bar of progress on a terminal's stderr."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agent.report.console import Console


def progress_bar(console: Console, name: str) -> Progress:
    """A bar of this name, with the description of its one task behind it; nothing where there is no terminal.

    What is printed meanwhile isn't led through it: it would take the sequences in it for styles.
    """
    return Progress(
        TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False), console=console, transient=True,
        disable=not console.is_terminal, redirect_stdout=False, redirect_stderr=False,
    )  # fmt: skip
