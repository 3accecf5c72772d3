"""A TCP relay between nodes that makes a slow, narrow or torn line of a good one.

The kernel here has no netem: what it cannot do (delay, little bandwidth, an end in
the middle of a message) is done in this relay. It runs in a thread of its own.
"""

import asyncio
import random
import threading
import time

CHUNK_BYTES = 16 << 10
# Chunks on their way per direction; a full line holds its sender back.
CHUNKS_MAX = 64


class Relay:
    """Lines to several targets; each line is a port that is listened on."""

    def __init__(self, seed):
        self.delay_s = (0.0, 0.0)
        self.bytes_per_s = None
        self.torn = 0
        self._rng = random.Random(seed)
        self._tear_share = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._tasks = set()

    def open_line(self, host, target):
        """The port at `host` that leads to `target`, a (host, port)."""
        async def serve():
            server = await asyncio.start_server(
                lambda reader, writer: self._join(reader, writer, target), host, 0)
            return server.sockets[0].getsockname()[1]
        return self._call(serve())

    def tear(self, share):
        """From now on so many of all chunks end their connection in their middle."""
        self._tear_share = share

    def heal(self):
        self.delay_s, self.bytes_per_s, self._tear_share = (0.0, 0.0), None, 0.0

    def close(self):
        async def end():
            for task in list(self._tasks):
                task.cancel()
        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    # -- inside ---------------------------------------------------------------

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _join(self, reader, writer, target):
        self._tasks.add(asyncio.current_task())
        other = None
        try:
            far_reader, other = await asyncio.open_connection(*target)
            await self._first_end(self._carry(reader, other),
                                  self._carry(far_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(asyncio.current_task())
            for each in (writer, other):
                if each:
                    each.transport.abort()

    @staticmethod
    async def _first_end(*coroutines):
        tasks = [asyncio.ensure_future(each) for each in coroutines]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, reader, writer):
        queue = asyncio.Queue(CHUNKS_MAX)

        async def take():
            while chunk := await reader.read(CHUNK_BYTES):
                await queue.put((time.monotonic() + self._rng.uniform(*self.delay_s), chunk))

        async def give():
            while True:
                due, chunk = await queue.get()
                if self.bytes_per_s:
                    due = max(due, time.monotonic() + len(chunk) / self.bytes_per_s)
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                if self._rng.random() < self._tear_share:
                    writer.write(chunk[:len(chunk) // 2])
                    await writer.drain()
                    self.torn += 1
                    return
                writer.write(chunk)
                await writer.drain()
        await self._first_end(take(), give())
