"""Bodies that are made part by part, by asynchronous code too."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

_END: t.Any = object()


class AsyncParts:
    """The parts of an asynchronous iterable, as an iterator of synchronous code.

    :param iterable: the asynchronous iterable.
    :param to_sync: makes a function that waits out of a coroutine function:
        :meth:`Flask.async_to_sync`.
    """

    #: Says that a step waits, and takes no thread where there is an event loop.
    is_asynchronous = True

    def __init__(
        self,
        iterable: t.AsyncIterable[t.Any],
        to_sync: Callable[[Callable[..., t.Any]], Callable[..., t.Any]],
    ) -> None:
        iterator: AsyncIterator[t.Any] = iterable.__aiter__()
        self._iterator = iterator

        async def take() -> t.Any:
            try:
                return await iterator.__anext__()
            except StopAsyncIteration:
                return _END

        self._take = to_sync(take)
        self._to_sync = to_sync

    def __iter__(self) -> t.Self:
        return self

    def __next__(self) -> t.Any:
        part = self._take()
        if part is _END:
            raise StopIteration
        return part

    def close(self) -> None:
        """Close the asynchronous iterator, if it can be closed."""
        close = getattr(self._iterator, "aclose", None)
        if close is not None:

            async def finish() -> None:
                await close()

            self._to_sync(finish)()


class EncodedParts:
    """The parts of a body as bytes.

    :param parts: the parts, bytes or text.
    :param close: called when the body is over, however it ended.
    """

    is_asynchronous = True

    def __init__(self, parts: Iterable[t.Any], close: Callable[[], t.Any]) -> None:
        self._parts: Iterator[t.Any] = iter(parts)
        self.close = close

    def __iter__(self) -> t.Self:
        return self

    def __next__(self) -> bytes:
        part = next(self._parts)
        return encode_text(part) if isinstance(part, str) else bytes(part)


class AfterResponse:
    """A body after which something is to be done.

    :param body: the body as the server would get it.
    :param functions: called without arguments when the server closes the body: it was sent, or
        the client went away.
    """

    def __init__(self, body: Iterable[bytes], functions: Iterable[Callable[[], None]]) -> None:
        self._body = body
        self._functions = functions
        self.is_asynchronous = type(body) is list or is_asynchronous(body)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Close the body, then call the functions."""
        functions, self._functions = self._functions, ()
        close = getattr(self._body, "close", None)
        try:
            if close is not None:
                close()
        finally:
            for function in functions:
                function()


def encode_text(text: str) -> bytes:
    """Return text as UTF-8, with U+FFFD for the lone surrogates that UTF-8 has no bytes for.

    They come from JSON (``"\\ud800"``) and from names of files that are no UTF-8.

    :param text: the text.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def is_asynchronous(parts: t.Any) -> bool:
    """Return whether the parts of a body are waited for by asynchronous code.

    :param parts: the body.
    """
    return getattr(parts, "is_asynchronous", False) is True
