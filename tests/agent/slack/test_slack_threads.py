"""Messages in Slack: what starts an incident, what asks about one, and what is none of the app's business."""

from tests.agent.slack.conftest import Place
from tests.slack_stand_in import shown


async def test_a_mention_starts_an_incident_whose_message_is_written_anew(place: Place) -> None:
    asked = await place.slack.mention("checkout times out on orders", "U0EVE")
    id = await place.answer(asked["ts"])
    message = await place.message(asked["ts"], "decide")
    assert "Redis is full and turns new clients away" in shown(message["blocks"])
    assert len(place.slack.own(asked["ts"])) == 1
    found = await place.service.incident(id)
    assert found is not None and found.symptom == "checkout times out on orders" and found.target == "orders"
