import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.boorus.limiter import SLOWEST, LeftAlone, Limiter, Pace, SharedTurns, retry_after, shared_turns
from tests.boorus.conftest import Clock

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def limiter(clock: Clock, rate: float = 1.0, **pace: float) -> Limiter:
    return Limiter("a.example", rate, clock.pace(**pace), clock.turns)


@given(st.lists(st.floats(0, 5), max_size=30), st.floats(0.1, 20))
def test_requests_never_start_closer_together_than_the_rate_allows(gaps: list[float], rate: float) -> None:
    clock = Clock()
    asking = limiter(clock, rate)
    starts = []
    for gap in gaps:
        asking.wait()
        starts.append(clock.now)
        clock.now += gap
    assert all(later - earlier >= 1 / rate - 1e-6 for earlier, later in zip(starts, starts[1:], strict=False))


def test_the_first_request_does_not_wait() -> None:
    clock = Clock()
    limiter(clock).wait()
    assert clock.slept == []


def test_a_pause_holds_everybody_back() -> None:
    clock = Clock()
    limiter(clock, 10.0).pause(60)
    limiter(clock, 10.0).wait()
    assert clock.now >= 60


def test_whoever_stands_in_line_heeds_a_pause_that_came_meanwhile() -> None:
    clock = Clock()
    limiter(clock).wait()
    asked = []

    def sleep(seconds: float) -> None:
        clock.now += seconds
        if not asked:
            asked.append(True)
            limiter(clock).pause(60)

    pace = replace(clock.pace(), sleep=sleep)
    Limiter("a.example", 1.0, pace, clock.turns).wait()
    assert clock.now >= 61


def test_a_clock_that_was_set_back_holds_nobody_up_for_long() -> None:
    clock = Clock()
    clock.now = 5000.0
    limiter(clock).wait()
    clock.now = 1400.0
    limiter(clock).wait()
    assert clock.now == 1400.0


def test_hosts_do_not_wait_for_each_other() -> None:
    clock = Clock()
    limiter(clock).pause(60)
    Limiter("b.example", 1.0, clock.pace(), clock.turns).wait()
    assert clock.slept == []


@given(st.integers(0, 200))
def test_the_rate_is_halved_but_never_below_a_floor_and_comes_back(times: int) -> None:
    clock = Clock()
    asking = limiter(clock)
    for _ in range(times):
        asking.slow_down()
    asking.wait()
    start = clock.now
    asking.wait()
    assert clock.now - start == min(SLOWEST, 2.0 ** min(times, 6))
    clock.now += 700
    asking.wait()
    start = clock.now
    asking.wait()
    assert clock.now - start == 1.0


def test_a_host_that_fails_too_often_is_left_alone_by_everybody_for_a_while() -> None:
    clock = Clock()
    for _ in range(3):
        limiter(clock, breaker=3, alone=50).failed()
    with pytest.raises(LeftAlone) as told:
        limiter(clock).wait()
    assert told.value.seconds == 50
    clock.now += 51
    limiter(clock).wait()


def test_an_answer_in_between_forgives_the_failures() -> None:
    clock = Clock()
    asking = limiter(clock, breaker=2)
    for _ in range(5):
        asking.wait()
        asking.failed()
        asking.answered()
    asking.wait()


def test_a_turn_written_under_a_clock_of_the_future_holds_nobody_back(tmp_path: Path) -> None:
    turns = SharedTurns(tmp_path / "turns.db")
    turns.pause("a.example", 9e12)
    assert SharedTurns(tmp_path / "turns.db").take("a.example", 1.0, 1000.0).start == 1000.0


def test_a_damaged_file_of_turns_is_made_anew_and_one_that_cannot_be_does_without(tmp_path: Path) -> None:
    (tmp_path / "turns.db").write_bytes(b"SQLite format 3\0" + b"rubbish" * 500)
    assert shared_turns(tmp_path / "turns.db").take("a.example", 1.0, 5.0).start == 5.0
    assert shared_turns(tmp_path / "turns.db").take("a.example", 1.0, 5.0).start == 6.0
    (tmp_path / "file").write_text("no folder")
    assert shared_turns(tmp_path / "file" / "turns.db").take("a.example", 1.0, 5.0).start == 5.0


def test_processes_keep_one_rate_together_even_when_one_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from lorasmith.boorus.limiter import Limiter, Pace, SharedTurns\n"
        f"asking = Limiter('a.example', 20.0, Pace(), SharedTurns({str(tmp_path / 'turns.db')!r}))\n"
        "for _ in range(10):\n"
        "    asking.wait()\n"
        "    print(repr(time.time()), flush=True)\n"
        "time.sleep(60)\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    starts = []
    for child in children:
        assert child.stdout is not None
        starts += [float(child.stdout.readline()) for _ in range(10)]
        child.kill()
        child.wait()
        child.stdout.close()
    starts.sort()
    # A process that woke late starts late: places are kept on average, and none is given twice.
    assert starts[-1] - starts[0] >= 29 / 20 - 0.1


@given(st.integers(1, 60), st.none() | st.floats(0, 1e12), st.floats(0, 1))
def test_no_wait_is_longer_than_the_longest(failures: int, asked: float | None, luck: float) -> None:
    pace = Pace(jitter=lambda: luck)
    assert 0 <= pace.delay(failures, asked, 5.0) <= max(pace.longest_wait, asked or 0)


def test_waits_double_and_keep_the_site_s_own_word() -> None:
    pace = Pace(first_wait=2.0, jitter=lambda: 0.0)
    assert [pace.delay(failures) for failures in (1, 2, 3)] == [2.0, 4.0, 8.0]
    assert pace.delay(1, asked=17.0) == 17.0
    assert pace.delay(1, least=60.0) == 60.0


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    assert retry_after("120") == 120.0
    assert retry_after(format_datetime(NOW + timedelta(seconds=90), usegmt=True), NOW) == 90.0
    assert retry_after(format_datetime(NOW - timedelta(seconds=90), usegmt=True), NOW) == 0.0


@given(st.none() | st.text())
def test_any_other_retry_after_is_as_good_as_none(text: str | None) -> None:
    value = retry_after(text, NOW)
    assert value is None or value >= 0
