"""The arguments of the tools, described for assistants."""

from typing import Annotated

from pydantic import Field

REPORT_MOST = 16_000
Report = Annotated[
    str,
    Field(
        max_length=REPORT_MOST,
        description="What was reported, in the reporter's own words: symptom, errors, when it began. Empty if nothing "
        "was reported.",
    ),
]
Target = Annotated[
    str | None, Field(max_length=500, description="A target's name in rediagnose.toml; null if there is only one.")
]
Targets = Annotated[list[str] | None, Field(max_length=60, description="Names of targets; null for all.")]
Incident = Annotated[str, Field(max_length=40, description="An incident's id, as triage gave it.")]
ReadingId = Annotated[str, Field(max_length=20, description="A reading's id, such as r4.")]
Fields = Annotated[str | None, Field(max_length=128, description="A glob of the fields to show, such as *maxmemory*.")]
RunbookName = Annotated[
    str, Field(max_length=64, description="A cause's id, such as maxclients-exhausted, or a runbook's name.")
]
Section = Annotated[str | None, Field(max_length=128, description="A section of it; null for its beginning.")]
Step = Annotated[str, Field(pattern=r"^s[0-9]{1,6}$", description="A step's id in the plan, such as s1.")]
OwnStep = Annotated[str | None, Field(pattern=r"^s[0-9]{1,6}$", description="A step of the plan.")]
Action = Annotated[
    str | None,
    Field(max_length=2000, description="In place of a step: one command, such as CONFIG SET maxclients 5000."),
]
Node = Annotated[
    str | None, Field(max_length=300, description="The node that the action is for; null for the first one.")
]
Why = Annotated[str, Field(max_length=400, description="The reason, for the person who decides.")]
Undo = Annotated[bool, Field(description="Whether it's about undoing the step, which was applied.")]
