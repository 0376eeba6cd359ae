"""Tools as a caller sees them: a name, a schema, a declared effect; every call becomes a reading."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from inspect import cleandoc
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter

from tools.arguments import asks_for_less, given_arguments, is_number, validated
from tools.clock import Clock, iso_time
from tools.errors import BudgetSpent, Bug, ToolError, Unanswered, UsageError, bug
from tools.records import Reading, Record, Scalar, Unavailable, Values, is_countable

Effect = Literal["reads", "proposes"]
ToolFunction = Callable[..., Awaitable[Values]]
DEADLINE = 15.0
"""Seconds that a call may take, the time that its arguments ask for (`window`, `seconds`) not among them."""
F = TypeVar("F", bound=ToolFunction)
_cleaned = cache(cleandoc)


def reads(fn: F) -> F:
    """Declare that a tool only reads."""
    fn.effect = "reads"  # type: ignore[attr-defined]
    return fn


def proposes(fn: F) -> F:
    """Declare that a tool records a proposal, and changes nothing."""
    fn.effect = "proposes"  # type: ignore[attr-defined]
    return fn


_OMITTED = frozenset(
    ("title", "default", "minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "minItems", "maxItems",
     "pattern")
)  # fmt: skip
"""What a schema leaves out: it would cost room in every prompt, and a call is kept within its bounds."""


@dataclass(frozen=True)
class Tool:
    """A function bound to what it looks at."""

    name: str
    description: str
    effect: Effect
    node: str | None
    adapter: TypeAdapter[dict[str, Any]]
    """What makes arguments of what a caller gave."""
    call: ToolFunction
    """The function, without those of its arguments that are bound."""
    takes_node: bool = False
    """Whether `node` would be an argument of its own, and not which of the nodes it's bound to."""

    def schema(self) -> dict[str, Any]:
        """The tool in the form that chat completions take."""
        parameters = self.adapter.json_schema()
        for prop in parameters.get("properties", {}).values():
            for part in (prop, prop.get("items", {})):
                for unsaid in _OMITTED & set(part):
                    del part[unsaid]
            # The names that a list may hold are the field's own; those that aren't known are passed over.
            prop.get("items", {}).pop("enum", None)
            if isinstance(prop.get("anyOf"), list):
                # An argument that may be left out needn't be nullable as well.
                prop |= next(one for one in prop.pop("anyOf") if one.get("type") != "null")
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}


def bind(fn: ToolFunction, *context: object, node: str | None = None, instead: ToolFunction | None = None) -> Tool:
    """A tool of a function whose first arguments are given; `instead` is what takes its place in a replay.

    Raises `TypeError` for one that declares no effect.
    """
    name, effect = getattr(fn, "__name__", repr(fn)), getattr(fn, "effect", None)
    if effect not in ("reads", "proposes"):
        raise TypeError(f"tool {name} doesn't declare whether it reads or proposes")
    adapter = _adapter(fn, len(context))
    return Tool(name, _cleaned(fn.__doc__ or ""), effect, node, adapter, instead or partial(fn, *context))


@cache
def _adapter(fn: ToolFunction, given: int) -> TypeAdapter[dict[str, Any]]:
    """The arguments of a function but for the first so many: made once, however many nodes it's bound to."""
    whole = inspect.signature(fn)
    remaining = list(whole.parameters.values())[given:]

    def arguments(**asked: Any) -> dict[str, Any]:
        return asked

    arguments.__module__ = fn.__module__
    arguments.__annotations__ = {one.name: fn.__annotations__[one.name] for one in remaining}
    arguments.__signature__ = whole.replace(  # type: ignore[attr-defined]
        parameters=remaining, return_annotation=inspect.Signature.empty
    )
    return TypeAdapter(arguments, config=ConfigDict(defer_build=True))  # type: ignore[arg-type]


class PendingCall(Record):
    """A call that has begun and isn't over."""

    id: str
    tool: str
    args: dict[str, Scalar | list[str]]
    node: str | None
    asked: Annotated[bool, Field(exclude=True)] = False
    """Whether a model asked for it."""
    hasty: Annotated[bool, Field(exclude=True)] = False
    """Whether it asked for less than the tool does by itself."""


class Toolbox:
    """The tools of one investigation, and their readings.

    A tool is bound to a node; with several nodes a call says which (`node`), else it's the first that has the tool.
    """

    def __init__(self, tools: Iterable[Tool], clock: Clock, notify: Callable[[PendingCall | Reading], None]) -> None:
        self.tools: dict[str, Tool] = {}
        """By name; of several nodes the first's."""
        self.readings: list[Reading] = []
        self.bugs: list[Bug] = []
        """Exceptions in tools that nobody meant: the answer says them."""
        self.ends: float | None = None
        """When the investigation's time is over, in the clock's monotonic seconds; null while a person has a say."""
        self._at: dict[tuple[str, str | None], Tool] = {}
        self._clock = clock
        self._notify = notify
        self._next = 0
        self._since = 0
        self.add(tools)

    @property
    def recent(self) -> list[Reading]:
        """What was reported, and the readings since the last new look at the server."""
        return [one for one in self.readings if one.tool == "symptom" or int(one.id[1:]) >= self._since]

    def look_again(self) -> int:
        """Let `recent` begin here; returns where it began until now."""
        before, self._since = self._since, self._next
        return before

    def look_back(self, since: int) -> None:
        """Let `recent` begin where it did before: the new look failed."""
        self._since = since

    def recall(self, readings: Iterable[Reading]) -> None:
        """Take over an earlier investigation's readings, before there are any here; the numbers go on after them."""
        self.readings = list(readings)
        self._next = 1 + max((int(one.id[1:]) for one in self.readings), default=-1)

    def add(self, tools: Iterable[Tool]) -> None:
        """Put in more tools, of one more node as a rule."""
        for tool in tools:
            self.tools.setdefault(tool.name, tool)
            self._at[tool.name, tool.node] = tool

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that tools are bound to, in the order in which they came."""
        return tuple(dict.fromkeys(node for _, node in self._at if node is not None))

    def prefer(self, node: str) -> None:
        """Make a node's tools the default where no node is named."""
        self.tools |= {name: tool for (name, at), tool in self._at.items() if at == node}

    def has(self, name: str, node: str | None) -> bool:
        """Whether there is such a tool of this node."""
        return (name, node) in self._at

    def schemas(self) -> list[dict[str, Any]]:
        """Every tool, in a fixed order; with several nodes each takes the name of one."""
        schemas = [tool.schema() for tool in self.tools.values()]
        if len(self.nodes) > 1:
            for schema, tool in zip(schemas, self.tools.values(), strict=True):
                if tool.node is not None:
                    parameters = schema["function"]["parameters"]
                    parameters["properties"] = {**parameters.get("properties", {}), "node": {"type": "string"}}
        return schemas

    def note_symptom(self, text: str) -> Reading:
        """The symptom as reading r0, in place of what it was before: what the client reported is evidence too."""
        if self.readings and self.readings[0].tool == "symptom":
            self.readings[0] = self.readings[0].model_copy(update={"values": {"text": text}})
            self._notify(self.readings[0])
            return self.readings[0]
        return self._add_reading(
            self._begin("symptom", {}, None), self._clock.monotonic(), {"text": text}, None, timed=False
        )

    def note(self, tool: str, values: Values) -> Reading:
        """A reading of what is at hand already, such as lines in the report: nothing was asked for it."""
        begun = self._begin(tool, {}, None)
        return self._add_reading(begun, self._clock.monotonic(), values, None, timed=False)

    async def call(self, name: str, args: Mapping[str, Any] | str = "{}", *, asked: bool = False) -> Reading:
        """Call a tool by name with arguments as a mapping or as JSON text; `asked` if it's a model that does.

        A number outside its bounds is taken to the nearest one; the reading's `args` say with what it was taken.
        Raises `ToolError` for an unknown name or node, arguments that don't fit, or a spent budget: the text tells
        the caller what to change. What the server or host doesn't answer in time is a reading, not an error.
        """
        given = given_arguments(name, args)
        known = self.tools.get(name)
        tool = self._resolve(name, None if known and known.takes_node else given.pop("node", None))
        if self.ends is not None and self._clock.monotonic() >= self.ends:
            raise BudgetSpent("the incident's time is up; conclude from what was read")
        given, arguments = validated(name, tool.adapter, given)
        begun, began = self._begin(name, given, tool.node), self._clock.monotonic()
        begun = begun.model_copy(update={"asked": asked, "hasty": asked and asks_for_less(tool.adapter, given)})
        most = DEADLINE + sum(float(given[key]) for key in ("window", "seconds") if is_number(given.get(key)))
        try:
            async with asyncio.timeout(most):
                values = await tool.call(**arguments)
        except Unanswered as error:
            unavailable = Unavailable(kind=error.kind, detail=error.detail)
            return self._add_reading(begun, began, error.values or None, unavailable)
        except TimeoutError:
            return self._add_reading(
                begun, began, None, Unavailable(kind="timeout", detail=f"{name}: not finished after {most:g} s")
            )
        except (ToolError, UsageError):
            raise
        except Exception as error:
            # Nobody meant it, and the other tools' readings stand all the same.
            self.bugs.append(bug(name, error))
            unavailable = Unavailable(kind="malformed", detail=str(self.bugs[-1]))
            return self._add_reading(begun, began, None, unavailable)
        return self._add_reading(begun, began, values, None)

    def _resolve(self, name: str, node: Any) -> Tool:
        if name not in self.tools:
            raise ToolError(f"there is no tool {name!r}; available are {', '.join(self.tools)}")
        if node is None or self.tools[name].node is None:
            return self.tools[name]
        if (name, node) not in self._at:
            having = ", ".join(str(at) for known, at in self._at if known == name)
            raise ToolError(f"{name}: it has no node {node!r}; available are {having}")
        return self._at[name, node]

    def _begin(self, tool: str, args: dict[str, Any], node: str | None) -> PendingCall:
        begun = PendingCall(id=f"r{self._next}", tool=tool, args=args, node=node)
        self._next += 1
        self._notify(begun)
        return begun

    def _add_reading(
        self,
        begun: PendingCall,
        began: float,
        values: Values | None,
        unavailable: Unavailable | None,
        *,
        timed: bool = True,
    ) -> Reading:
        took = self._clock.monotonic() - began
        at = self._clock.now().timestamp() - took
        if values and not all(map(is_countable, values.values())):
            # What somebody's odd figures add up to is known to nobody, and no recording could be read with it.
            values = {field: value if is_countable(value) else None for field, value in values.items()}
        reading = Reading(
            id=begun.id, tool=begun.tool, args=begun.args, node=begun.node, at=iso_time(at),
            ms=round(took * 1000, 3) if timed else None, values=values, unavailable=unavailable,
            asked=begun.asked, hasty=begun.hasty,
        )  # fmt: skip
        self.readings.append(reading)
        self._notify(reading)
        return reading
