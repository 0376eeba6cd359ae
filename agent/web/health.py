"""What machines ask: whether it lives, whether it's ready, its figures, and its description."""

import asyncio
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agent.service.outages import reason
from agent.service.service import DurableService
from agent.service.totals import Total
from agent.web.description import description
from agent.web.problems import TRY_AGAIN, person, problem

READY_WITHIN = 3.0
HELP = {
    "incidents": "Incidents opened, by where they came from.",
    "answers": "Rounds answered, by outcome and first cause.",
    "seconds": "Seconds that investigations took.",
    "tokens": "Tokens of the model, by way.",
    "refusals": "Submissions refused, by reason.",
}


def routes(service: DurableService, metrics: Callable[[], str]) -> list[Route]:
    """The routes."""

    async def alive(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(_: Request) -> Response:
        try:
            async with asyncio.timeout(READY_WITHIN):
                await service.totals()
        except TimeoutError:
            return problem(
                503, f"not ready: the database doesn't answer: nothing within {READY_WITHIN:g} s", **TRY_AGAIN
            )
        except SQLAlchemyError as error:
            return _not_ready(reason(error))
        return PlainTextResponse("ready\n")

    async def figures(request: Request) -> Response:
        person(request, "reader", "approver", "sender")
        text = _exposed(await service.totals())
        return Response(text + await asyncio.to_thread(metrics), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def described(request: Request) -> Response:
        person(request, "reader", "approver", "sender")
        return JSONResponse(description())

    return [
        Route("/healthz", alive, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
        Route("/metrics", figures, methods=["GET"]),
        Route("/openapi.json", described, methods=["GET"]),
    ]


def _not_ready(why: str) -> Response:
    return problem(503, f"not ready: the database doesn't answer: {why}", **TRY_AGAIN)


class _Figures(Collector):
    def __init__(self, totals: list[Total]) -> None:
        self._totals = totals

    def collect(self) -> Iterator[Metric]:
        for name, text in HELP.items():
            found = [one for one in self._totals if one.name == name]
            labels = [label for label, _ in found[0].labels] if found else []
            family = CounterMetricFamily(f"rediagnose_{name}", text, labels=labels)
            for one in found:
                family.add_metric([value for _, value in one.labels], one.value)
            yield family
        kept = GaugeMetricFamily("rediagnose_incidents_kept", "Incidents in the database, by state.", labels=["state"])
        for one in self._totals:
            if one.name == "state":
                kept.add_metric([one.labels[0][1]], one.value)
        yield kept


def _exposed(totals: list[Total]) -> str:
    registry = CollectorRegistry()
    registry.register(_Figures(totals))
    return generate_latest(registry).decode()
