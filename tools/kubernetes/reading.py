"""The reading `pod`: what Kubernetes knows of the server."""

import asyncio
import time
from typing import TYPE_CHECKING

from tools.clock import Clock
from tools.errors import Unanswered
from tools.kubernetes.api import INSTALL, Api, connected
from tools.kubernetes.look import look
from tools.kubernetes.place import PodName, ServiceName
from tools.records import Values
from tools.tasks import in_thread
from tools.toolbox import reads

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

DEADLINE = 8.0
"""Seconds for one look, logging in not among them."""
LOGS_IN = 15.0
"""Seconds for loading the client and for the kubeconfig's own program, such as a cloud's, that brings a token."""


class Cluster:
    """What is asked about, in which cluster; the client stays from one look to the next."""

    def __init__(
        self, clock: Clock, pod: PodName | None, service: ServiceName | None = None, context: str | None = None,
        deadline: float = DEADLINE,
    ) -> None:  # fmt: skip
        """At least one of the pod and the Service is given; without a context it's the kubeconfig's current one."""
        self.pod = pod
        self.service = service
        self.context = context
        self._clock = clock
        self._deadline = deadline
        self._client: ApiClient | None = None
        self._failed: Unanswered | None = None

    @property
    def what(self) -> str:
        """What is asked about, for a person."""
        names = ((f"pod {self.pod}",) if self.pod else ()) + ((f"Service {self.service}",) if self.service else ())
        return " and ".join(names)

    async def prepare(self) -> None:
        """Load what asks and log in, before anything is measured. Raises `Unanswered`."""
        if self._client is not None:
            return
        try:
            async with asyncio.timeout(LOGS_IN):
                self._client = await in_thread(lambda: connected(self.context))
        except TimeoutError:
            detail = f"logging in to Kubernetes took longer than {LOGS_IN:g} s: does `kubectl get pods` answer?"
            self._failed = Unanswered("timeout", detail)
        except Unanswered as error:
            self._failed = error
        if self._failed:
            raise self._failed

    async def look(self) -> Values:
        """One look. Raises `Unanswered`."""
        if self._failed:
            # The first look takes over what was tried just before it; a later one tries again.
            failed, self._failed = self._failed, None
            raise failed
        await self.prepare()
        client, now = self._client, self._clock.now().timestamp()
        assert client
        api = Api(client, time.monotonic() + self._deadline)
        try:
            # The client's own bounds are for each wait; a server that sends a byte at a time would stretch them.
            async with asyncio.timeout(self._deadline + 0.5):
                return await in_thread(lambda: look(api, self.pod, self.service, now))
        except TimeoutError:
            raise Unanswered("timeout", f"the Kubernetes API didn't answer within {self._deadline:g} s") from None


@reads
async def pod(cluster: Cluster) -> Values:
    """The server's pod by Kubernetes: status, state and last_state of its container, restarts, limits, events.

    `event.X.count` still counts, `past_event.X.count` is over. `serviceN` is a Service in front of it with the number
    of its `endpoints` and the ready ones; `machine` is its node, `claimN` a volume's claim. `edit.memory` and
    `edit.config` are the keys of the chart's values, or the fields of the operator's resource.
    """
    return await cluster.look()


__all__ = ["DEADLINE", "INSTALL", "Cluster", "pod"]
