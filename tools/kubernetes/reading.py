"""The reading `pod`: what Kubernetes knows of the server."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from tools.clock import Clock
from tools.errors import Unanswered
from tools.kubernetes.api import INSTALL, Api, connected
from tools.kubernetes.look import look
from tools.kubernetes.neighbours import Wanted, neighbours
from tools.kubernetes.place import PodName, ServiceName
from tools.records import Values
from tools.tasks import in_thread
from tools.toolbox import reads

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

T = TypeVar("T")
TRY = "does `kubectl get pods` answer here?"
UNNAMED = "its address isn't the DNS name of a Service (NAME.NAMESPACE.svc), and no pod is named; name one"
DEADLINE = 8.0
"""Seconds for one look, logging in not among them."""
LOGS_IN = 15.0
"""Seconds for loading the client and for the kubeconfig's own program, such as a cloud's, that brings a token."""


AGAIN = 10.0
"""Seconds for which a login that failed isn't tried again: a fleet's targets would all wait for it, one by one."""


class Login:
    """A client of one cluster, logged in once for all that ask about it."""

    def __init__(self, context: str | None = None) -> None:
        """Without a context it's the kubeconfig's current one."""
        self.context = context
        self._lock = asyncio.Lock()
        self._client: ApiClient | None = None
        self._failed: tuple[float, Unanswered] | None = None

    async def client(self) -> "ApiClient":
        """The client. Raises `Unanswered` with what's missing."""
        async with self._lock:
            if self._client is None:
                self._client = await self._logged_in()
            return self._client

    async def _logged_in(self) -> "ApiClient":
        if self._failed and time.monotonic() - self._failed[0] < AGAIN:
            raise self._failed[1]
        try:
            async with asyncio.timeout(LOGS_IN):
                return await in_thread(lambda: connected(self.context))
        except TimeoutError:
            detail = f"logging in to Kubernetes took longer than {LOGS_IN:g} s: does `kubectl get pods` answer?"
            failed = Unanswered("timeout", detail)
        except Unanswered as error:
            failed = error
        self._failed = time.monotonic(), failed
        raise failed


class Cluster:
    """What is asked about, in which cluster; the client stays from one look to the next."""

    def __init__(
        self, clock: Clock, pod: PodName | None, service: ServiceName | None = None, context: str | None = None,
        deadline: float = DEADLINE, login: Login | None = None,
    ) -> None:  # fmt: skip
        """`login` is one that others share; by default it's an own one, of the context."""
        self.pod = pod
        self.service = service
        self.others: Collection[str] = ()
        """Pods that are known to be other nodes'."""
        self._clock = clock
        self._deadline = deadline
        self._login = login or Login(context)

    @property
    def context(self) -> str | None:
        """The kubeconfig's context; null for its current one."""
        return self._login.context

    @property
    def what(self) -> str:
        """What is asked about, for a person."""
        names = ((f"pod {self.pod}",) if self.pod else ()) + ((f"Service {self.service}",) if self.service else ())
        return " and ".join(names)

    @property
    def namespace(self) -> str:
        """Where it is."""
        return self.pod.namespace if self.pod else self.service.namespace if self.service else ""

    async def prepare(self) -> None:
        """Load what asks and log in, before anything is measured. Raises `Unanswered`."""
        if not self.namespace:
            raise Unanswered("not-recorded", UNNAMED)
        await self._login.client()

    async def look(self) -> Values:
        """One look at the server that was named. Raises `Unanswered`."""
        return await self._asked(lambda api, now: look(api, self.pod, self.service, now, self.others))

    async def around(self, wanted: Sequence[Wanted]) -> Mapping[str, Values]:
        """One look at the pods of a deployment's other nodes, by the nodes' names; those that are none are left out.

        Raises `Unanswered`.
        """
        return await self._asked(lambda api, now: neighbours(api, self.namespace, wanted, now))

    async def _asked(self, ask: Callable[[Api, float], T]) -> T:
        await self.prepare()
        client, now = await self._login.client(), self._clock.now().timestamp()
        api = Api(client, time.monotonic() + self._deadline)
        try:
            # The client's own bounds are for each wait; a server that sends a byte at a time would stretch them.
            async with asyncio.timeout(self._deadline + 0.5):
                return await in_thread(lambda: ask(api, now))
        except TimeoutError:
            raise Unanswered(
                "timeout", f"the Kubernetes API didn't answer within {self._deadline:g} s; {TRY}"
            ) from None


class Neighbour:
    """A deployment's other node: what the look at all of them brought at first, and then one of its own."""

    def __init__(self, cluster: Cluster, wanted: Wanted, first: Values) -> None:
        self._cluster = cluster
        self._wanted = wanted
        self._first: Values | None = first

    async def look(self) -> Values:
        """One look at it. Raises `Unanswered`."""
        first, self._first = self._first, None
        if first is not None:
            return first
        found = await self._cluster.around([self._wanted])
        if self._wanted.node not in found:
            raise Unanswered(
                "not-recorded", f"no pod of {self._cluster.namespace} has the address of this node any more"
            )
        return found[self._wanted.node]


@reads
async def pod(cluster: Cluster | Neighbour) -> Values:
    """The server's pod by Kubernetes: status, state and last_state of its container, restarts, limits, events.

    `event.X.count` still counts, `past_event.X.count` is over. `serviceN` is a Service in front of it with the number
    of its `endpoints` and the ready ones; `machine` is its node, `claimN` a volume's claim. `edit.memory` and
    `edit.config` are the keys of the chart's values, or the fields of the operator's resource.
    """
    return await cluster.look()


__all__ = ["DEADLINE", "INSTALL", "Cluster", "Login", "Neighbour", "Wanted", "pod"]
