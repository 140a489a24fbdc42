"""How a worker serves: the socket of its supervisor, until the supervisor ends it, or has gone."""

from functools import partial
from typing import Final

from pymilter._process.process import PROCESS
from pymilter._serve.serving import Serving
from pymilter._serve.settings import Settings
from pymilter._workers.limits import spent_when
from pymilter._workers.worker import ENDS, REFUSES, RETIRE_GRACE, Worker

# A connection waits this many seconds for a worker that has fewer connections than the one that could take it at once.
PATIENCE: Final = 0.01


def serve_as(worker: Worker, serving: Serving, settings: Settings) -> None:
    """Serve, and return when the worker is to end. Raises what Server.start() and Server.stop() do."""

    def stop(retire: bool) -> None:
        if retire:
            serving._request_stop(RETIRE_GRACE, for_connections=True, refusing=partial(worker.tell, REFUSES))
        else:
            serving.request_stop(settings.grace)

    with PROCESS.forks.ending_children():
        try:
            worker.tell_beginning()
            with serving._starting(signals=True), worker.listener() as listener:
                worker.join_balance(partial(serving._service.join_balance, patience=PATIENCE))
                serving._serve(listener, settings.timeout)
            try:
                worker.watch(stop, spent_when(settings.max_messages, settings.max_rss))
                serving.wait()
            finally:
                try:
                    serving.finish()
                finally:
                    worker.tell(ENDS)
        except BaseException as error:
            worker.tell_failure(error)
            raise
