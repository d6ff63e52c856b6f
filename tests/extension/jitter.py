"""Makes the browser tests meet a machine that is now quick and now slow: LORASMITH_JITTER=<a number that begins the dice>.

A test that passes on a quiet machine alone holds something for certain that only follows soon: that nothing has happened yet between
two of its lines, or that something has. So what it asks of the browser comes now and then with a pause before it, and what the page
asks of its server goes out late and comes back late. A fault of the page itself shows as well as one of a test: an answer that was
overtaken by a later one. Off where the variable is not set; a whole run takes about half as long again.
"""

import os
import random
import time
from typing import Any

CHANCE = 0.3  # of a pause before a step of the test, and of a delay of a question or an answer of the page
PAUSE = 1.5  # seconds, at most
LATE = 600  # milliseconds, at most

_LATE_ANSWERS = """(() => {
    const ask = window.fetch;
    const late = () => new Promise((go) => setTimeout(go, Math.random() < %f ? Math.random() * %d : 0));
    window.fetch = async (...words) => {
        const stream = String(words[0].url || words[0]).includes("queue/data"); // whose first words would be missed
        await late();
        const answer = await ask(...words);
        if (!stream) await late();
        return answer;
    };
})()"""


def wanted() -> str:
    """Gives the number that begins the dice; empty where all goes its own pace."""
    return os.environ.get("LORASMITH_JITTER", "")


def unsettle(context: Any) -> None:
    """Delays what all pages of a person's browser ask and are answered, where it is wanted."""
    if wanted():
        context.add_init_script(_LATE_ANSWERS % (CHANCE, LATE))
        _pause_between_steps()


def _pause_between_steps() -> None:
    from playwright._impl._sync_base import SyncBase  # noqa: PLC0415 (all calls of the synchronous API go through it)

    if hasattr(SyncBase, "at_once"):
        return
    at_once, dice = SyncBase._sync, random.Random(wanted())

    def later(self: Any, step: Any) -> Any:
        if dice.random() < CHANCE:
            time.sleep(dice.random() * PAUSE)
        return at_once(self, step)

    SyncBase.at_once, SyncBase._sync = at_once, later
