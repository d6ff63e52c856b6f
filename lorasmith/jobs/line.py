"""The line as a person sees and changes it: words for jobs, and the same acts for `lorasmith queue` and for the page."""

from collections.abc import Sequence

from lorasmith.errors import UsageError
from lorasmith.jobs.store import Job, Store

_ENDS = {"first": 1, "last": 1 << 30}
_LONGEST = 70  # letters of how far a job is


def demand_open(store: Store, number: int) -> Job:
    """Gives a job that waits or runs; raises `UsageError` for one that there is not, or that has ended."""
    job = store.get(number)
    if job is None:
        raise UsageError(f"There is no job {number}; `lorasmith queue list` shows the numbers.")
    if job.ended:
        raise UsageError(f"Job {number} has ended ({job.state}); add it again if it is to run again.")
    return job


def hold(store: Store, numbers: Sequence[int], held: bool) -> None:
    """Holds jobs, or lets them go; one at work stops at its last saved state and is held in the line."""
    for number in numbers:
        demand_open(store, number)
        store.hold(number, held)


def move(store: Store, number: int, to: str) -> None:
    """Puts a job that waits elsewhere among those that wait: `first`, `last`, or a place from 1."""
    if demand_open(store, number).state != "waiting":
        raise UsageError(f"Job {number} is at work already; only those that wait can be moved.")
    if to not in _ENDS and not to.isdecimal():
        raise UsageError(f"'{to}' is no place; write first, last, or a number from 1.")
    store.move(number, _ENDS.get(to) or int(to))


def again(store: Store, number: int) -> Job:
    """Puts a job that has ended at the end of the line once more; gives the new one."""
    job = store.get(number)
    if job is None:
        raise UsageError(f"There is no job {number}; `lorasmith queue list` shows the numbers.")
    if not job.ended:
        raise UsageError(f"Job {number} has not ended; it is {state_of(job)}.")
    new, is_new = store.add_once(job.folder, job.words, job.lane, job.name)
    if not is_new:
        raise UsageError(f"The very same is in the line already, as job {new.id} ({state_of(new)}).")
    return new


def state_of(job: Job) -> str:
    """Gives a job's state in a word: also held, pausing and stopping."""
    if job.state == "running" and job.wish:
        return "stopping" if job.wish == "stop" else "pausing"
    return "held" if job.held and job.state == "waiting" else job.state


def told_of(job: Job) -> str:
    """Gives how far a job at work is, why one failed, or what one left."""
    if job.state == "running" and job.progress is not None:
        told = job.progress
        of = f" of {told.total}" if told.total else ""
        return f"{told.stage} {told.done}{of} {told.note}".strip()[:_LONGEST]
    if job.error:
        return job.error if job.state == "failed" else f"tried again: {job.error}"
    if job.state == "done" and job.result:
        files = job.result.get("files") or (job.result.get("train") or {}).get("files") if isinstance(job.result, dict) else None
        return f"{files[-1]}" if files else ""
    return ""


def ended_last(store: Store, count: int) -> list[Job]:
    """Lists the jobs that ended last, in the order of their ends."""
    ended = (job for job in store.latest(count=max(200, count)) if job.ended)
    return sorted(ended, key=lambda job: (job.ended or "", job.id))[-count:]
