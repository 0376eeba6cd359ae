"""What a sentinel watches: its masters and their replicas, and whether they accept its login."""

from collections.abc import Iterator

from agent.checks.ends import AUTH
from agent.checks.types import Found, Limits, Placeholder
from agent.evidence.view import View


def masters(view: View) -> Iterator[str]:
    """The prefixes of the masters that a sentinel knows, such as m1."""
    for number in range(1, 5):
        if view.last("sentinel") and view.get("sentinel", f"m{number}.address") is not None:
            yield f"m{number}"


def down(view: View, at: str) -> bool:
    """Whether this sentinel sees that master down."""
    return view.get("sentinel", f"{at}.s_down") is True


def replicas(view: View, at: str) -> Iterator[str]:
    """The prefixes of the replicas that a sentinel knows of a master, such as m1.r1."""
    for number in range(1, 9):
        if view.get("sentinel", f"{at}.r{number}.address") is not None:
            yield f"{at}.r{number}"


def refusing_login(view: View, at: str) -> Iterator[View]:
    """The nodes of a master that this sentinel considers down, but that answer us and refuse logins over the window."""
    called = [f"{at}.address"] if down(view, at) else []
    called += [f"{one}.address" for one in replicas(view, at) if view.text("sentinel", f"{one}.barred") == "s_down"]
    for field in called:
        node = view.peer(view.text("sentinel", field))
        if node is not None and not node.unavailable("connect") and any(
            node.number("info", f"errorstat_{word}.count.delta") for word in AUTH
        ):  # fmt: skip
            yield node


def locked_out(view: View, limits: Limits) -> Found:
    """A sentinel considers responsive nodes dead: their password or users were changed, but not its auth-pass."""
    for at in masters(view):
        refuse = list(refusing_login(view, at))
        if not refuse:
            continue
        first, name = refuse[0], view.text("sentinel", f"{at}.name")
        errors = [(word, first.number("info", f"errorstat_{word}.count.delta") or 0) for word in AUTH]
        counts = ", ".join(f"{count:.0f} {word}" for word, count in errors if count)
        why = f"Sentinel considers {len(refuse)} nodes of {name} dead that answer from here but refuse logins"
        why += (
            f" ({counts} over the window): Sentinel's own login is refused "
            "(auth-pass, auth-user). Until that is fixed, it"
        )
        why += " can't fail over."
        cause = view.cause("auth-failure", 0.98, why, ("sentinel", f"{at}.s_down"), ("sentinel", f"{at}.flags"),
                           ("sentinel", f"{at}.last-ok-ping-reply"), ("sentinel", f"{at}.good_replicas"),
                           ("sentinel", f"{at}.name"))  # fmt: skip
        theirs = first.cite(("connect", "stage"), *(("info", f"errorstat_{word}.count.delta") for word in AUTH))
        yield cause.model_copy(update={"evidence": (*cause.evidence, *theirs)})
        return


def _locked_out_of(view: View) -> tuple[str, ...]:
    """The master whose nodes refuse this sentinel's login."""
    return tuple(view.text("sentinel", f"{at}.name") for at in masters(view) if any(refusing_login(view, at)))[:1]


PLACEHOLDERS = (Placeholder(name="locked_out_of", example="mymaster", values=_locked_out_of),)
