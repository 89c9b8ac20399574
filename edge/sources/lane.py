"""A thread of its own for each port whose library blocks: a call that hangs holds up its own port and nothing else."""

import asyncio
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ClassVar, Final, ParamSpec, Self, TypeVar

from edge.ports import SourceError

P = ParamSpec("P")
T = TypeVar("T")
PATIENCE_S: Final = 0.3


class Lane:
    """The blocking calls of one port, one after the other, in the order in which they were asked for.

    A daemon thread, because a call that hangs in the kernel can't be ended and must not keep the agent from stopping.
    Sources on the same port get the same lane from `at`.
    """

    _by_port: ClassVar[weakref.WeakValueDictionary[str, "Lane"]] = weakref.WeakValueDictionary()

    def __init__(self, port: str, patience_s: float = PATIENCE_S) -> None:
        """`patience_s`: for a call that its caller has given up: it may just be slow."""
        self.port, self._patience_s = port, patience_s
        self.turn = asyncio.Lock()
        """Held by who uses the port over several calls."""
        self._running: asyncio.Future[Any] | None = None
        self._calls: queue.SimpleQueue[Callable[[], None] | None] | None = None

    @classmethod
    def at(cls, port: str) -> Self:
        """The lane of `port`, the same one for all its users."""
        lane = cls._by_port.get(port)
        if lane is None:
            cls._by_port[port] = lane = cls(port)
        assert isinstance(lane, cls)
        return lane

    async def run(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `do` returns or raises. SourceError at once while a call that its caller has given up still hangs."""
        if self._running is not None and not await _is_over(self._running, self._patience_s):
            raise SourceError(f"{self.port} hangs since an earlier reading: switch the sensors' power off and on")
        future = Future[T]()
        self._running = running = asyncio.wrap_future(future)
        # A call that its caller has given up may fail at last: nobody is there to be told.
        running.add_done_callback(asyncio.Future.exception)
        self._put(lambda: _settle(future, lambda: do(*args, **kwargs)))
        return await asyncio.shield(running)

    def leave(self, do: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Have `do` done after what was asked for before; nobody waits for it, and what it raises is forgotten."""
        self._put(lambda: _settle(Future[object](), lambda: do(*args, **kwargs)))

    def _put(self, call: Callable[[], None]) -> None:
        if self._calls is None:
            self._calls = queue.SimpleQueue()
            weakref.finalize(self, self._calls.put, None)
            threading.Thread(target=_work, args=(self._calls,), name=f"lane {self.port}", daemon=True).start()
        self._calls.put(call)


async def _is_over(call: asyncio.Future[Any], patience_s: float) -> bool:
    """Whether `call` has ended, or ends within `patience_s`."""
    if not call.done():
        await asyncio.wait([call], timeout=patience_s)
    return call.done()


def _work(calls: "queue.SimpleQueue[Callable[[], None] | None]") -> None:
    while (call := calls.get()) is not None:
        call()
        del call


def _settle(future: Future[T], do: Callable[[], T]) -> None:
    try:
        future.set_result(do())
    except BaseException as error:  # noqa: BLE001 (it belongs to whoever waits for the future)
        future.set_exception(error)
