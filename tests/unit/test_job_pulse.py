"""Signs of life of job processes: who stands still, and who has closed their record."""

from __future__ import annotations

import os

from lastword.jobs.job_pulse import PULSE_SECONDS, PulseReader, pulse_pipe, read_from

LIMIT = 3.0


class Watch:
    """A reader whose clock the test moves, and the pipe it reads."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pipe, self.pulse = pulse_pipe()
        self.reader = PulseReader(LIMIT, lambda: self.now)

    def look(self) -> list[int]:
        read_from(self.pipe, self.reader)
        return list(self.reader.standing_still())

    def pass_time(self, seconds: float) -> list[int]:
        """Look as often as a worker does; what stands still at the end."""
        found: list[int] = []
        for _ in range(round(seconds / PULSE_SECONDS)):
            self.now += PULSE_SECONDS
            found = self.look()
        return found


async def test_a_job_that_gives_no_sign_of_life_stands_still() -> None:
    watch = Watch()
    with watch.pulse.beating():
        assert watch.look() == []
        assert watch.pass_time(LIMIT) == []
        assert watch.pass_time(PULSE_SECONDS) == [os.getpid()]


async def test_a_job_that_gives_one_again_does_not() -> None:
    watch = Watch()
    for _ in range(3):
        with watch.pulse.beating():
            assert watch.pass_time(LIMIT) == []


async def test_a_process_without_a_call_is_none_that_stands_still() -> None:
    watch = Watch()
    assert watch.pass_time(10 * LIMIT) == []


async def test_after_its_record_a_job_may_take_its_time() -> None:
    watch = Watch()
    with watch.pulse.beating():
        watch.pulse.record_closed()
        assert watch.pass_time(10 * LIMIT) == []
        assert watch.reader.has_closed(os.getpid())
        watch.reader.forget(os.getpid())
        assert not watch.reader.has_closed(os.getpid()), "the number may be another's later"


async def test_the_time_for_which_the_worker_itself_stood_still_counts_for_nobody() -> None:
    """Else a machine that is suspended for a while would end all its calls at once."""
    watch = Watch()
    with watch.pulse.beating():
        watch.look()
        watch.now += 100 * LIMIT
        assert list(watch.reader.standing_still()) == []
        assert watch.pass_time(LIMIT - PULSE_SECONDS) == []
        assert watch.pass_time(PULSE_SECONDS) == [os.getpid()]


async def test_a_worker_that_does_not_read_stops_no_job() -> None:
    watch = Watch()
    for _ in range(100_000):  # more than a pipe holds
        watch.pulse.record_closed()
    assert watch.look() == []
    watch.pipe.close()
    watch.pulse.record_closed()
