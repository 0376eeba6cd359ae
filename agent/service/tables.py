"""The tables of the service's database, the same in SQLite and PostgreSQL."""

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, MetaData, String, Table, Text, text

metadata = MetaData()
PREFIX = "rediagnose_"
"""The engine's own tables are in the same database."""

incidents = Table(
    f"{PREFIX}incidents", metadata,
    Column("id", String(40), primary_key=True),
    Column("source", String(40), nullable=False),
    Column("key", Text, nullable=False),
    Column("identity", String(64), nullable=False),
    Column("target", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("symptom", Text, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("round", Integer, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("closed_at", Double),
    Column("closed_by", Text),
    Column("alerts", Integer, nullable=False),
    Column("diagnosis", Text),
    Column("brief", Text),
    Column("outcome", String(40)),
    Column("causes", Text),
    Column("problem", Text),
    Column("posted", Text),
    Column("recording", Text),
    Column("words", Text, nullable=False),
    Column("last_event", Integer, nullable=False),
    # One open incident for each source and key, even if two processes hear of it at the same moment.
    Index(f"{PREFIX}open", "identity", unique=True,
          sqlite_where=text("closed_at IS NULL"), postgresql_where=text("closed_at IS NULL")),
    Index(f"{PREFIX}of_target", "target", "id"),
    Index(f"{PREFIX}in_state", "state"),
)  # fmt: skip

events = Table(
    f"{PREFIX}events", metadata,
    Column("incident", String(40), ForeignKey(incidents.c.id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("data", Text, nullable=False),
)  # fmt: skip

decisions = Table(
    f"{PREFIX}decisions", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident", String(40), ForeignKey(incidents.c.id, ondelete="CASCADE"), nullable=False),
    Column("round", Integer, nullable=False),
    Column("decision", Text, nullable=False),
    Column("step", String(20), nullable=False),
    # As it was when it was decided about: a new answer may have another step of this name.
    Column("decided", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("state", String(20), nullable=False),
    Column("executor", Text),
    Column("outcome", Text),
    # One decision about a step at a time: a second click is the same one.
    Index(f"{PREFIX}undecided", "incident", "step", unique=True,
          sqlite_where=text("state <> 'done'"), postgresql_where=text("state <> 'done'")),
)  # fmt: skip

questions = Table(
    f"{PREFIX}questions", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident", String(40), ForeignKey(incidents.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("by", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    # One question about an incident is answered at a time.
    Index(f"{PREFIX}unanswered", "incident", unique=True,
          sqlite_where=text("state <> 'done'"), postgresql_where=text("state <> 'done'")),
    Index(f"{PREFIX}questions_by", "by", "at"),
)  # fmt: skip

changes = Table(
    f"{PREFIX}changes", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident", String(40), ForeignKey(incidents.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("decision", Integer, nullable=False),
    Column("entry", Text, nullable=False),
)  # fmt: skip

feedback = Table(
    f"{PREFIX}feedback", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident", String(40), ForeignKey(incidents.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("record", Text, nullable=False),
)  # fmt: skip

deliveries = Table(
    f"{PREFIX}deliveries", metadata,
    Column("incident", String(40), ForeignKey(incidents.c.id, ondelete="CASCADE"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("place", String(200), primary_key=True),
    Column("state", String(20), nullable=False),
)  # fmt: skip

workers = Table(
    f"{PREFIX}workers", metadata,
    Column("id", String(200), primary_key=True),
    Column("until", Double, nullable=False),
)  # fmt: skip

totals = Table(
    f"{PREFIX}totals", metadata,
    Column("name", String(60), primary_key=True),
    Column("labels", String(200), primary_key=True),
    Column("value", Double, nullable=False),
)  # fmt: skip

seen = Table(
    f"{PREFIX}seen", metadata, Column("key", String(200), primary_key=True), Column("at", Double, nullable=False,
    index=True),
)  # fmt: skip

threads = Table(
    f"{PREFIX}slack_threads", metadata,
    Column("team", String(40), primary_key=True),
    Column("channel", String(40), primary_key=True),
    Column("thread", String(40), primary_key=True),
    # Null while somebody is asked which server it's about.
    Column("incident", String(40), ForeignKey(incidents.c.id, ondelete="CASCADE"), unique=True),
    # Who asked, as the audit log names them.
    Column("by", Text, nullable=False),
    # What is to be submitted once the server is known.
    Column("waiting", Text),
    # The message that shows the incident, and the number of the last event that the thread has been told of.
    Column("message", String(40)),
    Column("shown", Integer, nullable=False),
    # Which process keeps it up to date, and until when.
    Column("keeper", String(200)),
    Column("until", Double),
)  # fmt: skip

slack_events = Table(
    f"{PREFIX}slack_events", metadata,
    Column("key", String(200), primary_key=True),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Which process works on it, and until when unless it says so again.
    Column("keeper", String(200), nullable=False),
    Column("until", Double, nullable=False),
)  # fmt: skip

versions = Table(f"{PREFIX}version", metadata, Column("version", Integer, primary_key=True))
