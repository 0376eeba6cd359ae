"""PostgreSQL that takes connections and answers nothing is away like one that is gone, and comes back like it."""

import socket
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from agent.service.database import Database
from agent.service.outages import is_outage, reason
from tests.postgres import Postgres, postgres_server
from tools.errors import UsageError

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres_server() as one:
        yield one


def test_one_that_never_says_a_word_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        database = Database(f"postgresql://ada@127.0.0.1:{port}/postgres?connect_timeout=2")
        with pytest.raises(UsageError, match="timeout"):
            database.prepare()


def test_a_statement_that_isnt_answered_is_an_outage_and_the_next_one_has_a_connection_of_its_own(
    server: Postgres,
) -> None:
    database = Database(f"{server.url}?connect_timeout=2", answers_within=1)
    database.prepare()
    with database.reading() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
        server.freeze()
        with pytest.raises(SQLAlchemyError) as raised:
            connection.scalar(text("SELECT 2"))
        assert is_outage(raised.value) and "no answer within 1 s" in reason(raised.value)
    with pytest.raises(SQLAlchemyError) as raised:
        _ask(database)
    assert is_outage(raised.value) and not database.answers
    server.thaw()
    assert _ask(database) == 3
    assert _answers(database)
    database.close()


def _ask(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.scalar(text("SELECT 3")))


def _answers(database: Database) -> bool:
    return database.answers
