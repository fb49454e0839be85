"""Supervised children: restarts, isolation, a bounded end."""

import asyncio

import pytest
from structlog.testing import capture_logs

from modembank.supervision import RestartPolicy, Supervisor

QUICK = RestartPolicy(first_s=0.001, most_s=0.004)


async def test_a_child_that_fails_is_started_again_until_it_returns():
    runs = 0
    done = asyncio.Event()

    async def child():
        nonlocal runs
        runs += 1
        if runs < 5:
            message = f"failure {runs}"
            raise OSError(message)
        done.set()

    supervisor = Supervisor()
    with capture_logs() as logs:
        supervisor.start("child", child, QUICK)
        await done.wait()
        await asyncio.sleep(0)
    assert runs == 5
    assert [entry["log_level"] for entry in logs] == ["warning", "info", "info", "info"]


async def test_one_failing_child_never_disturbs_the_others():
    beats = 0
    enough = asyncio.Event()

    async def steady():
        nonlocal beats
        while True:
            beats += 1
            if beats > 20:
                enough.set()
            await asyncio.sleep(0.001)

    async def failing():
        raise ConnectionError

    supervisor = Supervisor()
    supervisor.start("steady", steady, QUICK)
    for number in range(10):
        supervisor.start(f"failing-{number}", failing, QUICK)
    await enough.wait()
    assert len(supervisor.names()) == 11
    assert await supervisor.stop_all()
    assert supervisor.names() == ()


async def test_two_children_cannot_share_a_name():
    supervisor = Supervisor()
    supervisor.start("one", lambda: asyncio.sleep(60))
    with pytest.raises(RuntimeError, match="one"):
        supervisor.start("one", lambda: asyncio.sleep(60))
    assert await supervisor.stop("one")
    supervisor.start("one", lambda: asyncio.sleep(60))
    assert await supervisor.stop_all()


async def test_stopping_is_bounded_and_says_who_does_not_end():
    release = asyncio.Event()

    async def stubborn():
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    supervisor = Supervisor()
    supervisor.start("stubborn", stubborn)
    await asyncio.sleep(0)
    with capture_logs() as logs:
        assert not await supervisor.stop("stubborn", within_s=0.02)
    assert logs[0]["child"] == "stubborn"
    release.set()
    assert await supervisor.stop_all()


async def test_stopping_a_child_that_is_not_there_is_fine():
    assert await Supervisor().stop("nobody")
