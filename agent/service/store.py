"""The incidents in the database: opened, joined, closed, answered and found again."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, case, delete, func, insert, select, update

from agent.answer.diagnosis import Diagnosis
from agent.plan.planned import kept_after
from agent.service.database import Database
from agent.service.queries import conditions
from agent.service.records import Incident, NumberedEvent, Query, Submission, Submitted
from agent.service.rows import BRIEF, WHOLE, append, data, diagnosis_of, event_of, identity, incident_of, new_id, stored
from agent.service.seam import Full, NotSo
from agent.service.tables import decisions, events, feedback, incidents
from agent.service.totals import count
from agent.tickets.ticket import Ticket
from tools.clock import Clock
from tools.redact import hide_secrets
from tools.text import printable

MOST_LISTED = 200
SIMILAR = 8
WAITING = ("queued", "looking")
TITLE = 300
"""Most characters of a title."""


class Work(NamedTuple):
    """One round of an incident that is to be investigated."""

    incident: str
    round: int
    target: str

    @property
    def id(self) -> str:
        """The engine's name for it."""
        return f"{self.incident}/{self.round}"


class Asked(NamedTuple):
    """What an investigation is asked."""

    work: Work
    ticket: Ticket
    symptom: str
    state: str


class Store:
    """The incidents. Everything here blocks: async callers use a thread."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.clock = database, clock

    def now(self) -> float:
        """The time of what happens now."""
        return self.clock.now().timestamp()

    def submit(self, one: Submission, target: str, most: int) -> tuple[Submitted, Work | None]:
        """Open an incident, or join or close the open one; the work that this makes. Raises `Full`."""
        try:
            return self._submit(one, target, most)
        except Full:
            with self.database.writing() as connection:
                count(connection, "refusals", (("reason", "full"),))
            raise

    def _submit(self, one: Submission, target: str, most: int) -> tuple[Submitted, Work | None]:
        same = identity(one.ticket.source, one.key)
        with self.database.writing(alone=True) as connection:
            found = connection.execute(
                select(incidents.c.id).where(incidents.c.identity == same, incidents.c.closed_at.is_(None))
            ).scalar()
            if one.resolved:
                if found is not None:
                    self._close(connection, found, one.by, "resolved")
                return Submitted(incident=found, new=False), None
            if found is not None:
                self._join(connection, found, one)
                return Submitted(incident=found, new=False), None
            self._room(connection, most)
            work = self._open(connection, one, same, target)
        return Submitted(incident=work.incident, new=True), work

    def _room(self, connection: Connection, most: int) -> None:
        waiting = select(func.count()).select_from(incidents).where(incidents.c.state.in_(WAITING))
        if (number := connection.scalar(waiting) or 0) >= most:
            raise Full(f"{number} incidents are waiting to be investigated, which is the most; try again later", 30)

    def _open(self, connection: Connection, one: Submission, same: str, target: str) -> Work:
        now, ticket = self.now(), one.ticket
        id = new_id(self.clock.now(), connection.scalar(select(func.max(incidents.c.id))))
        symptom = ticket.symptom
        title = _title(ticket.title or symptom.partition("\n")[0]) or f"{ticket.name}"
        connection.execute(
            insert(incidents).values(
                id=id, source=ticket.source, key=printable(one.key), identity=same, target=target, title=title,
                symptom=symptom, ticket=ticket.model_dump_json(), state="queued", round=1, opened_at=now,
                updated_at=now, alerts=1, words=_words(title, symptom, target), last_event=0,
            )
        )  # fmt: skip
        append(connection, id, now, [data("submitted", by=one.by, title=title, target=target)])
        count(connection, "incidents", (("source", ticket.source),))
        return Work(id, 1, target)

    def _join(self, connection: Connection, id: str, one: Submission) -> None:
        connection.execute(update(incidents).where(incidents.c.id == id).values(alerts=incidents.c.alerts + 1))
        append(connection, id, self.now(), [data("joined", by=one.by, title=_title(one.ticket.title))])

    def _close(self, connection: Connection, id: str, by: str, why: str) -> bool:
        now = self.now()
        closed = connection.execute(
            update(incidents).where(incidents.c.id == id, incidents.c.closed_at.is_(None))
            .values(closed_at=now, closed_by=by, state="closed")
        )  # fmt: skip
        if closed.rowcount:
            append(connection, id, now, [data("closed", by=by, why=why)])
        return bool(closed.rowcount)

    def close(self, id: str, by: str) -> None:
        """Close an incident. Raises `NotSo`."""
        with self.database.writing() as connection:
            if not self._close(connection, id, by, "closed by a person"):
                raise NotSo(_absent(connection, id) or "this incident is already closed")

    def again(self, id: str, by: str, most: int) -> Work:
        """Let it be investigated anew. Raises `NotSo` and `Full`."""
        with self.database.writing(alone=True) as connection:
            row = connection.execute(
                select(incidents.c.state, incidents.c.round, incidents.c.target).where(incidents.c.id == id)
            ).first()
            if row is None or row.state not in ("answered", "unanswered"):
                raise NotSo(_absent(connection, id) or f"this incident is {row.state if row else 'gone'}")
            undecided = select(decisions.c.step).where(decisions.c.incident == id, decisions.c.state != "done")
            if (step := connection.scalar(undecided)) is not None:
                raise NotSo(f"a decision about {step} is being carried out; look again afterwards")
            self._room(connection, most)
            work = Work(id, row.round + 1, row.target)
            connection.execute(
                update(incidents).where(incidents.c.id == id).values(state="queued", round=work.round, problem=None)
            )
            append(connection, id, self.now(), [data("submitted", by=by, again=True)])
        return work

    def begin(self, id: str, round: int) -> Asked | None:
        """What is asked in a round, which begins now; null if it's over or no longer wanted."""
        with self.database.writing() as connection:
            # In one statement: another process may be storing the answer at this moment.
            row = connection.execute(
                update(incidents)
                .where(incidents.c.id == id, incidents.c.round == round, incidents.c.state.in_(WAITING))
                .values(state="looking")
                .returning(incidents)
            ).mappings().first()  # fmt: skip
            if row is None:
                return None
            ticket = Ticket.model_validate_json(row["ticket"])
        return Asked(Work(id, round, row["target"]), ticket, row["symptom"], row["state"])

    def answered(self, work: Work, answer: Diagnosis, recording: str | None) -> bool:
        """Keep an answer; whether anybody still waits for it. An incident that was closed meanwhile gets it too."""
        causes = ",".join(("", *(one.id for one in answer.causes), ""))
        with self.database.writing() as connection:
            before = diagnosis_of(
                connection.scalar(select(incidents.c.diagnosis).where(incidents.c.id == work.incident))
            )
            if before is not None:
                answer = answer.model_copy(update={"plan": kept_after(before.plan, answer.plan)})
            values = {"outcome": answer.outcome, "causes": causes, "recording": recording, **stored(answer)}
            state = connection.execute(
                update(incidents)
                .where(incidents.c.id == work.incident, incidents.c.round == work.round)
                .where(incidents.c.state.in_(("looking", "closed")))
                .values(
                    state=case((incidents.c.state == "looking", "answered"), else_=incidents.c.state),
                    words=incidents.c.words + f" {answer.summary.lower()}",
                    **values,
                )
                .returning(incidents.c.state)
            ).scalar()
            if state is not None:
                _count(connection, answer)
                note = data("answered", outcome=answer.outcome, summary=answer.summary,
                            causes=[one.id for one in answer.causes])  # fmt: skip
                append(connection, work.incident, self.now(), [note])
        return bool(state == "answered")

    def has_answered(self, id: str, round: int) -> bool:
        """Whether the incident stands answered by this round."""
        with self.database.reading() as connection:
            row = connection.execute(select(incidents.c.state, incidents.c.round).where(incidents.c.id == id)).first()
        return row is not None and tuple(row) == ("answered", round)

    def unanswered(self, work: Work, problem: str) -> None:
        """Keep why there is no answer."""
        with self.database.writing() as connection:
            found = connection.execute(
                update(incidents)
                .where(incidents.c.id == work.incident, incidents.c.round == work.round)
                .where(incidents.c.state.in_(WAITING))
                .values(state="unanswered", problem=problem)
            )
            if found.rowcount:
                count(connection, "answers", (("outcome", "unanswered"), ("cause", "")))
                append(connection, work.incident, self.now(), [data("failed", why=problem)])

    def note(self, id: str, new: Sequence[tuple[str, str]]) -> None:
        """Store events."""
        with self.database.writing() as connection:
            append(connection, id, self.now(), new)

    def waiting(self) -> list[Work]:
        """The work that isn't done."""
        columns = (incidents.c.id, incidents.c.round, incidents.c.target)
        with self.database.reading() as connection:
            found = connection.execute(
                select(*columns).where(incidents.c.state.in_(WAITING)).order_by(incidents.c.id)
            )  # fmt: skip
            return [Work(row.id, row.round, row.target) for row in found]

    def incident(self, id: str) -> Incident | None:
        """One incident; null if there is none."""
        with self.database.reading() as connection:
            row = connection.execute(select(*WHOLE).where(incidents.c.id == id)).mappings().first()
            if row is None:
                return None
            said = select(feedback.c.record).where(feedback.c.incident == id).order_by(feedback.c.id)
            return incident_of(row, connection.scalars(said).all())

    def incidents(self, query: Query) -> tuple[Incident, ...]:
        """The incidents that fit a query, newest first."""
        asked = select(*BRIEF, incidents.c.brief.label("diagnosis")).where(*conditions(query))
        limit = max(1, min(query.limit, MOST_LISTED))
        with self.database.reading() as connection:
            rows = connection.execute(asked.order_by(incidents.c.id.desc()).limit(limit)).mappings().all()
        return tuple(incident_of(row) for row in rows)

    def similar(self, one: Incident) -> tuple[Incident, ...]:
        """Earlier incidents of the same target, those with the same cause first."""
        causes = {cause.id for cause in one.diagnosis.causes} if one.diagnosis else set()
        earlier = self.incidents(Query(target=one.target, before=one.id, limit=MOST_LISTED))

        def differs(other: Incident) -> bool:
            return not (other.diagnosis and causes & {cause.id for cause in other.diagnosis.causes})

        return tuple(sorted(earlier, key=differs)[:SIMILAR])

    def events(self, id: str, after: int, most: int = 500) -> list[NumberedEvent]:
        """The events after a number, in order, at most so many."""
        asked = select(events).where(events.c.incident == id, events.c.number > after)
        with self.database.reading() as connection:
            rows = connection.execute(asked.order_by(events.c.number).limit(most)).mappings().all()
        return [event_of(row) for row in rows]

    def history(self, id: str, kinds: Collection[str]) -> tuple[NumberedEvent, ...]:
        """All events of these kinds so far, in order."""
        asked = select(events).where(events.c.incident == id, events.c.kind.in_(kinds))
        with self.database.reading() as connection:
            return tuple(event_of(row) for row in connection.execute(asked.order_by(events.c.number)).mappings())

    def last_events(self, ids: Sequence[str]) -> dict[str, tuple[int, bool]]:
        """The number of each incident's last event, and whether it's closed."""
        columns = (incidents.c.id, incidents.c.last_event, incidents.c.closed_at)
        with self.database.reading() as connection:
            rows = connection.execute(select(*columns).where(incidents.c.id.in_(ids)))
            return {row.id: (row.last_event, row.closed_at is not None) for row in rows}

    def forget(self, id: str) -> None:
        """Delete an incident with all that belongs to it."""
        with self.database.writing() as connection:
            connection.execute(delete(incidents).where(incidents.c.id == id))


def _count(connection: Connection, answer: Diagnosis) -> None:
    cause = answer.causes[0].id if answer.causes else ""
    count(connection, "answers", (("outcome", answer.outcome), ("cause", cause)))
    count(connection, "seconds", (), answer.seconds)
    count(connection, "tokens", (("way", "in"),), answer.model.tokens_in)
    count(connection, "tokens", (("way", "out"),), answer.model.tokens_out)


def _title(text: str) -> str:
    return hide_secrets(printable(text)).strip()[:TITLE]


def _words(*parts: str) -> str:
    return " ".join(parts).lower()


def _absent(connection: Connection, id: str) -> str | None:
    found = connection.scalar(select(func.count()).select_from(incidents).where(incidents.c.id == id))
    return None if found else "there is no such incident"
