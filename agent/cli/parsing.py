"""The command-line parser: help in groups with examples, and wrong usage in one line."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from tools.text import did_you_mean, one_line

USAGE = 2
Configure = Callable[["Parser"], None]


class Parser(argparse.ArgumentParser):
    """One command's parser.

    Wrong usage names the value and where to find help. An argument that isn't given isn't in the result: the records in
    `inputs` have the defaults.
    """

    def __init__(
        self, *, configure: Configure | None = None, examples: Iterable[str] = (), overview: str | None = None,
        root: "Callable[[], Parser] | None" = None, **settings: Any,
    ) -> None:  # fmt: skip
        """`configure` adds the arguments once they are needed, `overview` is the whole help, `root` makes
        the parser of all commands.
        """
        super().__init__(**{"argument_default": argparse.SUPPRESS, "allow_abbrev": False, **settings})
        self.root = root or (lambda: self)
        self._configure = configure
        self._examples = tuple(examples)
        self._overview = overview
        self._sections: dict[str, argparse._ArgumentGroup] = {}

    def section(self, title: str) -> "argparse._ArgumentGroup":
        """The options under this title in the help."""
        if title not in self._sections:
            self._sections[title] = self.add_argument_group(title)
        return self._sections[title]

    def configured(self) -> "Parser":
        """The parser with its arguments: each command's are added only when needed."""
        if self._configure:
            configure, self._configure = self._configure, None
            configure(self)
        return self

    def format_help(self) -> str:
        """The help, with the examples at its end."""
        self.configured()
        if self._overview is not None:
            return self._overview
        shown = "".join(f"  {example}\n" for example in self._examples)
        return super().format_help() + (f"\nexamples:\n{shown}" if shown else "")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As in argparse, but an unknown option is reported first: the errors that follow from it only confuse."""
        self.configured()
        given = [] if args is None else list(args)
        if not any(isinstance(action, argparse._SubParsersAction) for action in self._actions):
            self._refuse_unknown(given[: given.index("--")] if "--" in given else given)
        return super().parse_known_args(args, namespace)

    def _refuse_unknown(self, given: Sequence[str]) -> None:
        known = self._option_string_actions
        for word in given:
            option = word.partition("=")[0]
            if option.startswith("--") and " " not in option and option not in known:
                self.error(f"there is no option {option}{did_you_mean(option, known)}")

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        # A shell's variable that isn't set leaves an empty word, which would silently mean something else.
        if action.option_strings and "" in arg_strings:
            raise argparse.ArgumentError(action, f"its value is empty; give {action.metavar or 'one'}, or leave it out")
        return super()._get_values(action, arg_strings)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        names = [str(choice) for choice in action.choices]
        closest = did_you_mean(str(value), names)
        if isinstance(action, argparse._SubParsersAction):
            self.error(f"there is no command {value!r}{closest or '; there are ' + ', '.join(names)}")
        raise argparse.ArgumentError(action, f"{value!r} isn't one of {', '.join(names)}{closest}")

    def error(self, message: str) -> NoReturn:
        """Report it in one line and exit."""
        self.exit(USAGE, f"{one_line(f'{self.prog}: {message}')} (see {self.prog} --help)\n")
