from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from lorasmith.boorus.limiter import SLOWEST, Limiter, Pace, retry_after
from tests.boorus.conftest import Clock

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@given(st.lists(st.floats(0, 5), max_size=30), st.floats(0.1, 20))
def test_requests_never_start_closer_together_than_the_rate_allows(gaps: list[float], rate: float) -> None:
    clock = Clock()
    limiter = Limiter(rate, clock.read, clock.sleep)
    starts = []
    for gap in gaps:
        limiter.wait()
        starts.append(clock.now)
        clock.now += gap
    assert all(later - earlier >= 1 / rate - 1e-6 for earlier, later in zip(starts, starts[1:], strict=False))


def test_the_first_request_does_not_wait() -> None:
    clock = Clock()
    Limiter(1.0, clock.read, clock.sleep).wait()
    assert clock.slept == []


def test_a_pause_holds_everybody_back() -> None:
    clock = Clock()
    limiter = Limiter(10.0, clock.read, clock.sleep)
    limiter.pause(60)
    limiter.wait()
    assert clock.now >= 60


@given(st.integers(0, 200))
def test_the_rate_is_halved_but_never_below_a_floor(times: int) -> None:
    limiter = Limiter(1.0, lambda: 0.0, lambda seconds: None)
    for _ in range(times):
        limiter.slow_down()
    assert limiter.interval == min(SLOWEST, 2.0**times)


def test_the_same_rate_again_leaves_a_halved_rate_halved_and_another_one_is_taken() -> None:
    limiter = Limiter(1.0)
    limiter.slow_down()
    limiter.set_rate(1.0)
    assert limiter.interval == 2.0
    limiter.set_rate(0.25)
    assert limiter.interval == 4.0


@given(st.integers(1, 60), st.none() | st.floats(0, 1e12), st.floats(0, 1))
def test_no_wait_is_longer_than_the_longest(failures: int, asked: float | None, luck: float) -> None:
    pace = Pace(jitter=lambda: luck)
    assert 0 <= pace.delay(failures, asked, 5.0) <= pace.longest_wait


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
