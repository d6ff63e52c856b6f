"""The list of jobs outlives the process that wrote it."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lorasmith.jobs.store import Store


def test_what_was_added_is_there_again_when_the_file_is_opened_anew(tmp_path: Path) -> None:
    store = Store(tmp_path / "jobs.db")
    job = store.add(tmp_path / "a b", ("train", "x"), "gpu")
    store.change(job.id, state="running", pid=5, born=7.0)
    store.close()
    again = Store(tmp_path / "jobs.db").get(job.id)
    assert again is not None and (again.folder, again.words, again.pid) == (tmp_path / "a b", ("train", "x"), 5)
    assert again.state == "running" and again.stage == "train"


def test_the_open_ones_come_oldest_first_and_the_latest_newest_first(tmp_path: Path) -> None:
    store = Store(tmp_path / "jobs.db")
    numbers = [store.add(tmp_path / name, ("tag", name), "gpu").id for name in "abc"]
    store.change(numbers[1], state="done")
    assert [job.id for job in store.open()] == [numbers[0], numbers[2]]
    assert [job.id for job in store.latest()] == numbers[::-1]
    assert [job.id for job in store.latest(tmp_path / "b")] == [numbers[1]]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=30)
@given(words=st.lists(st.text(), min_size=1, max_size=4), result=st.dictionaries(st.text(), json_values, max_size=4))
def test_words_and_results_of_any_kind_come_back_as_they_were(words: list[str], result: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder, "jobs.db"))
        job = store.add(Path(folder), tuple(words), "light")
        changed = store.change(job.id, result=result)
        store.close()
    assert changed.words == tuple(words) and changed.result == result
