"""The two clients: the same methods, one for programs with asyncio and one for those without."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

import httpx

from modembank.client import account_calls, calls, following, mailing_calls
from modembank.client.exchange import Items, Retry, Steps
from modembank.client.transport import CONNECT_TIMEOUT_S, AsyncRunner, SyncRunner

P = ParamSpec("P")
T = TypeVar("T")
TIMEOUT_S = 30.0


class _Method(Generic[P, T]):
    """A method whose result is returned by one client and awaited with the other."""

    def __init__(self, steps: Callable[Concatenate[Retry, P], Steps[T]]) -> None:
        self.steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, box: SyncRunner, _: object = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, box: AsyncRunner, _: object = None) -> Callable[P, Awaitable[T]]: ...
    @overload
    def __get__(self, box: None, _: object = None) -> Self: ...
    def __get__(self, box: SyncRunner | AsyncRunner | None, _: object = None) -> Any:
        if box is None:
            return self

        @functools.wraps(self.steps)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return box.run(self.steps(box.retry, *args, **kwargs))

        return call


class _Listing(Generic[P, T]):
    """A method whose items are iterated over with ``for`` by one client and with ``async for`` by the other."""

    def __init__(self, steps: Callable[Concatenate[Retry, P], Items[T]]) -> None:
        self.steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, box: SyncRunner, _: object = None) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, box: AsyncRunner, _: object = None) -> Callable[P, AsyncIterator[T]]: ...
    @overload
    def __get__(self, box: None, _: object = None) -> Self: ...
    def __get__(self, box: SyncRunner | AsyncRunner | None, _: object = None) -> Any:
        if box is None:
            return self

        @functools.wraps(self.steps)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return box.iterate(self.steps(box.retry, *args, **kwargs))

        return call


class _Calls:
    """What both can do; ``calls`` and ``following`` have the signatures."""

    send = _Method(calls.send)
    get = _Method(calls.get)
    messages = _Listing(calls.messages)
    cancel = _Method(calls.cancel)
    preview = _Method(calls.preview)
    wait_until_settled = _Method(calls.wait_until_settled)
    inbox = _Listing(calls.inbox)
    conversations = _Listing(calls.conversations)
    conversation = _Listing(calls.conversation)
    reply = _Method(calls.reply)
    modems = _Listing(calls.modems)
    sims = _Listing(calls.sims)
    issues = _Listing(calls.issues)
    opt_outs = _Listing(calls.opt_outs)
    add_opt_out = _Method(calls.add_opt_out)
    remove_opt_out = _Method(calls.remove_opt_out)
    webhooks = _Listing(calls.webhooks)
    webhook = _Method(calls.webhook)
    add_webhook = _Method(calls.add_webhook)
    change_webhook = _Method(calls.change_webhook)
    delete_webhook = _Method(calls.delete_webhook)
    test_webhook = _Method(calls.test_webhook)
    events = _Listing(following.events)
    send_mailing = _Method(mailing_calls.send_mailing)
    check_mailing = _Method(mailing_calls.check_mailing)
    preview_mailing = _Method(mailing_calls.preview_mailing)
    mailings = _Listing(mailing_calls.mailings)
    mailing = _Method(mailing_calls.mailing)
    start_mailing = _Method(mailing_calls.start_mailing)
    pause_mailing = _Method(mailing_calls.pause_mailing)
    resume_mailing = _Method(mailing_calls.resume_mailing)
    continue_mailing = _Method(mailing_calls.continue_mailing)
    cancel_mailing = _Method(mailing_calls.cancel_mailing)
    retry_mailing = _Method(mailing_calls.retry_mailing)
    mailing_rows = _Listing(mailing_calls.mailing_rows)
    mailing_history = _Listing(mailing_calls.mailing_history)
    mailing_results = _Listing(mailing_calls.mailing_results)
    users = _Listing(account_calls.users)
    user = _Method(account_calls.user)
    add_user = _Method(account_calls.add_user)
    change_user = _Method(account_calls.change_user)
    quotas = _Listing(account_calls.quotas)
    change_quota = _Method(account_calls.change_quota)
    keys = _Listing(account_calls.keys)
    add_key = _Method(account_calls.add_key)
    revoke_key = _Method(account_calls.revoke_key)


class Client(_Calls, SyncRunner):
    """A box, for programs without asyncio. May be shared by threads. Close it, or use it as a context manager.

    ``url`` is the box's address and ``key`` an API key. ``verify`` is False or an ``ssl.SSLContext`` for a box with a
    certificate of its own. Proxies and other settings of the environment are left alone: the box is on your network.
    """

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        timeout_s: float = TIMEOUT_S,
        retry: Retry | None = None,
        verify: Any = True,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Connect when the first request is made; ``timeout_s`` is for one try of one request."""
        settings = _settings(url, key, timeout_s, verify)
        super().__init__(httpx.Client(**settings, transport=transport), retry or Retry())

    def close(self) -> None:
        """Close all connections."""
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(_Calls, AsyncRunner):
    """A box, for programs with asyncio: as Client, with ``await``, ``async for`` and ``async with``."""

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        timeout_s: float = TIMEOUT_S,
        retry: Retry | None = None,
        verify: Any = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Connect when the first request is made; ``timeout_s`` is for one try of one request."""
        settings = _settings(url, key, timeout_s, verify)
        super().__init__(httpx.AsyncClient(**settings, transport=transport), retry or Retry())

    async def aclose(self) -> None:
        """Close all connections."""
        await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _settings(url: str, key: str, timeout_s: float, verify: Any) -> dict[str, Any]:
    if not url.startswith(("http://", "https://")):
        message = f"the address of a box begins with http:// or https://, not as in {url!r}"
        raise ValueError(message)
    headers = {"User-Agent": "modembank-client", "Accept": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return {
        "base_url": url,
        "headers": headers,
        "timeout": httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        "verify": verify if url.startswith("https://") else False,  # reading all certificates would take 25 ms
        "trust_env": False,
    }
