"""A person at the terminal: the one place where approval is requested."""

import sys
import termios

from agent.remediation.approval import ApprovalRequest, answers
from agent.report.console import Console
from tools.terminal import styled


class TerminalApprover:
    """Asks a person on stdin and stderr, or on a console of its own."""

    def __init__(self, console: Console) -> None:
        self._console = console

    async def approve(self, request: ApprovalRequest) -> bool:
        """Whether a person says yes now.

        What was typed or pasted before the question isn't an answer to it, and a risky change takes more than a letter
        typed by reflex: `yes`, or the parameter's name.
        """
        self._console.print()
        action, *details = request.lines()
        self._console.say(action, "bold")
        for line in details:
            style = "yellow" if line.startswith(("   unknown", "   risk    risky")) else ""
            self._console.say(line, style)
        words = answers(request)
        verb = "Undo it" if request.takes_back else "Apply it"
        return (await _line(f"   {verb}? Type {' or '.join(words)}; anything else is no: ")).strip().lower() in words


async def _line(question: str) -> str:
    """A line typed after the question; empty for Ctrl-C and at the end of input."""
    # Imported here: most investigations ask nothing, and it takes a tenth of their start-up.
    from prompt_toolkit import PromptSession
    from prompt_toolkit.input import create_input
    from prompt_toolkit.input.typeahead import clear_typeahead
    from prompt_toolkit.output import create_output

    # stdout may lead to a file or a pipe.
    session: PromptSession[str] = PromptSession(input=create_input(sys.stdin), output=create_output(styled(sys.stderr)))
    clear_typeahead(session.app.input)
    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    try:
        return await session.prompt_async(question)
    except (KeyboardInterrupt, EOFError):
        return ""
