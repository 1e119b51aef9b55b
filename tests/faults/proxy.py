"""A TCP proxy that injects faults."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Proxy:
    """Forwards connections to a local `port`, with the fault `mode`, which may be changed any time.

    - `pass`: no fault
    - `reset`: close the connection when a request arrives
    - `hang`: accept requests and never reply
    - `half`: send half of the reply, then close
    - `trickle`: send the reply one byte at a time, with pauses
    - `garbage`: reply with something that is not HTTP
    - `refuse`: close all connections, set by the method of this name
    """

    def __init__(self, port: int, loop: asyncio.AbstractEventLoop) -> None:
        self.mode = "pass"
        self._loop = loop
        self.pause = 0.05
        self._upstream = port
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = ""

    def refuse(self) -> None:
        """Close all connections, present and future ones."""
        self.mode = "refuse"
        self._loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        await stop.wait()
        server.close()
        self._abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.mode == "refuse":
                return
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
            self._writers.add(up_writer)
            back = asyncio.create_task(self._replies(up_reader, writer))
            while data := await reader.read(65_536):
                if self.mode == "reset":
                    break
                if self.mode == "garbage":
                    writer.write(b"\x00\x01 this is not HTTP\r\n\r\n")
                elif self.mode != "hang":
                    up_writer.write(data)
            back.cancel()
            up_writer.transport.abort()
            self._writers.discard(up_writer)
        except OSError:
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if self.mode == "half":
                writer.write(data[: len(data) // 2])
                await writer.drain()
                writer.close()
                return
            if self.mode == "trickle":
                for byte in data:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(self.pause)
            else:
                writer.write(data)


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    """Run a proxy in a thread."""
    loop = asyncio.new_event_loop()
    proxy = Proxy(port, loop)
    started = threading.Event()
    stop = asyncio.Event()

    def run() -> None:
        loop.run_until_complete(proxy.serve(started, stop))
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert started.wait(10)
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
