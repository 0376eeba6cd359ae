"""Runs on other machines: a Dask cluster is sent the recordings, together with what is asked of them."""

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Generic, TypeVar

from evals.scoring.answered import Answered, of_recording
from evals.scoring.arm import Arm
from evals.scoring.kept import revision
from evals.scoring.pool import in_order
from evals.scoring.run import Wanted
from evals.scoring.scenario import Scenario
from tools.errors import UsageError

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
SCHEME = "dask://"
BATCH, AHEAD = 10, 3
"""Runs in one task, whose own cost is as much as a fifth of a run, and tasks that each core is sent ahead."""
REMEMBERED = 10
"""Messages that Dask's client keeps."""
CONNECT, PATIENCE = 10.0, 10.0
"""Seconds for the scheduler to answer, and for a result until it's asked whether it still has workers."""
LACKS = "--on: install rediagnose[cluster], which brings Dask's client"


class Sent(Scenario):
    """A scenario on its way to a machine that doesn't have its recording."""

    content: bytes


def packed(folder: Path, wanted: Wanted) -> Wanted:
    """What is wanted, with its recording. Raises `UsageError`."""
    try:
        content = (folder / wanted.scenario.file).read_bytes()
    except OSError as error:
        raise UsageError(f"{wanted.scenario.id}: {error}; record it again, or exclude it with -k") from None
    return wanted._replace(scenario=Sent(**dict(wanted.scenario), content=content))


async def of_sent(scenario: Scenario, arm: Arm) -> Answered:
    """Let an arm answer a recording that was sent."""
    assert isinstance(scenario, Sent)
    with TemporaryDirectory() as folder:
        path = Path(folder, scenario.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(scenario.content)
        return await of_recording(Path(folder), scenario, arm)


def on_cluster(
    work: Callable[[Wanted], T], given: Sequence[Wanted], /, *, url: str, folder: Path
) -> Generator[T, None, None]:
    """Results in order, from the workers of a Dask scheduler. Raises `UsageError` if they can't be used."""
    try:
        import dask
        from distributed import Client
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise UsageError(LACKS) from None
    # It keeps its last messages for its developers, a thousand of them, recordings and all.
    dask.config.set({"distributed.admin.low-level-log-length": REMEMBERED})
    try:
        client = Client(url.replace(SCHEME, "tcp://", 1), timeout=CONNECT, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise UsageError(f"--on {url}: no scheduler answers there ({error}); start `dask scheduler`") from None
    with client:
        _check(client, url)
        threads = sum(client.nthreads().values())
        batches = [given[at : at + BATCH] for at in range(0, len(given), BATCH)]
        own = revision()

        def submit(some: Sequence[Wanted]) -> Task[tuple[str, list[T]]]:
            sent = [packed(folder, one) for one in some]
            return Task(client.submit(_each, work, sent, pure=False), client, url)

        try:
            for code, results in in_order(submit, batches, threads * AHEAD):
                # One that came later wasn't checked.
                if code != own:
                    raise UsageError(_another(url))
                yield from results
        except KilledWorker as error:
            raise UsageError(f"--on {url}: {error}; with -o FILE what was had isn't run again") from None


def _check(client: "Client", url: str) -> None:
    """Raise `UsageError` if there is no worker, or one that doesn't have this program."""
    # It's sent as it stands: a function of a module that a worker doesn't have would end that worker.
    codes = client.run(
        lambda: __import__("evals.scoring.kept", fromlist=["revision"]).revision(), on_error="return"
    )  # fmt: skip
    if not codes:
        raise UsageError(f"--on {url}: it has no workers; start `dask worker` with --preload rediagnose")
    for address, code in codes.items():
        if isinstance(code, Exception):
            raise UsageError(
                f"--on {url}: the worker at {address} can't load rediagnose ({code}); install it there, and start the "
                "worker with --preload rediagnose"
            )
        if code != revision():
            raise UsageError(_another(url))


def _another(url: str) -> str:
    return f"--on {url}: a worker has another version of rediagnose; install this one there"


class Task(Generic[T]):
    """A task whose workers may go away: Dask itself would wait for others without end."""

    def __init__(self, future: "Future[T]", client: "Client", url: str) -> None:
        self._future, self._client, self._url = future, client, url

    def result(self) -> T:
        """Its result. Raises `UsageError` where nobody is left to have it."""
        while True:
            try:
                return self._future.result(timeout=PATIENCE)
            except TimeoutError:
                if self._future.done():
                    raise
                if not self._client.nthreads():
                    raise UsageError(
                        f"--on {self._url}: its workers are gone; with -o FILE what was had isn't run again"
                    ) from None


def _each(work: Callable[[Wanted], T], given: Sequence[Wanted]) -> tuple[str, list[T]]:
    return revision(), list(map(work, given))
