"""The alerts of a ticket, each with the answer to what it asks."""

from collections.abc import Mapping, Sequence

from agent.alerts import cluster, compared, figures, replication
from agent.alerts.answered import AskAll, of_worst
from agent.alerts.rules import Question, alerts
from agent.answer.open_points import AlertAnswer
from agent.evidence.view import View

QUESTIONS: Mapping[Question, AskAll] = {
    Question.DOWN: of_worst(figures.down),
    Question.NO_MASTER: replication.no_master,
    Question.MASTERS: replication.masters,
    Question.REPLICAS: replication.replicas,
    Question.REPLICATION: replication.replication,
    Question.FLAPPING: replication.flapping,
    Question.BACKUP: of_worst(figures.backup),
    Question.SYSTEM_MEMORY: of_worst(figures.system_memory),
    Question.MAXMEMORY: of_worst(figures.maxmemory),
    Question.MEMORY: of_worst(figures.memory),
    Question.CONNECTIONS: of_worst(figures.connections),
    Question.FEW_CONNECTIONS: of_worst(figures.few_connections),
    Question.REJECTED: of_worst(figures.rejected),
    Question.SLOTS_FAIL: of_worst(cluster.slots_fail, shared=True),
    Question.SLOTS_PFAIL: of_worst(cluster.slots_pfail, shared=True),
    Question.CLUSTER_STATE: of_worst(cluster.cluster_state, shared=True),
    Question.FIGURE: of_worst(compared.compared),
    Question.UNKNOWN: compared.unknown,
}


def alert_answers(views: Sequence[View]) -> tuple[AlertAnswer, ...]:
    """What the alerts in the report ask, answered in their order; empty where none of a known rule is in it."""
    symptom = next((view.symptom for view in views if view.symptom), "")
    found = []
    for alert in alerts(symptom):
        one = QUESTIONS[alert.question](views, alert)
        cited = one.view.cite(*one.cited) if one.view is not None else ()
        found.append(AlertAnswer(rule=alert.name, state=one.state, told=f"{alert.name}: {one.told}.", evidence=cited))
    return tuple(found)
