"""What must outlive "Reload UI": the secrets, the child, a set-up under way. Scripts run again, this object stays."""

from __future__ import annotations

import atexit
import secrets
import sys
import types
from pathlib import Path
from typing import Any

from lorasmith_webui import bridge, host_flags
from lorasmith_webui.child import Child
from lorasmith_webui.setting_up import SettingUp

TRAINING_ENDS_WITHIN = 6.0  # seconds: seen were 3 to 5 on busy machines
NAME = "lorasmith_webui_memory"  # a key of sys.modules: stays even where somebody purges our own modules
ROOT = Path(__file__).resolve().parents[2]  # the extension's folder, which is lorasmith's repository


class Memory:
    """One per run of the host."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.token = secrets.token_urlsafe(32)  # stands only in the tab's HTML; buys the cookie
        self.secret = secrets.token_bytes(32)  # signs the cookies of this run
        self.bridge_token = secrets.token_urlsafe(32)
        self.demo: Any = None  # the host's Blocks, whose server says when it stops
        self.child = Child(root, self.words_for_child, self.child_has_ended, self.may_start)
        self.setting_up = SettingUp(root, self.child.stop)  # Windows keeps a running program's files

    def words_for_child(self) -> dict[str, Any]:
        return host_flags.words_for_child(self.demo, self.bridge_token)

    def child_has_ended(self) -> None:
        """Gives the host its GPU again when the child's trainings, which end with it, have left it."""
        bridge.restore_gpu_if_given_back(after=TRAINING_ENDS_WITHIN)

    def may_start(self) -> bool:
        """Tells whether the child's environment is finished, and nobody is at work on it."""
        return self.setting_up.state != "running" and not self.setting_up.is_needed()

    def serve(self, demo: Any) -> None:
        """Takes in the host's server; a child that knows another address of it (a reload can change the port) starts anew."""
        self.demo = demo
        if self.child.is_alive and self.child.told.get("bridge") != self.words_for_child()["bridge"]:
            self.child.log.add("The WebUI has another address now: lorasmith's UI is started anew to know it.")
            self.child.restart()

    def end(self) -> None:
        """Ends what was started; called when the host ends."""
        self.setting_up.cancel()
        self.child.stop()


def memory() -> Memory:
    """Returns this run's memory, made at the first call."""
    kept = sys.modules.get(NAME)
    if kept is None:
        kept = types.ModuleType(NAME)
        kept.memory = Memory(ROOT)  # type: ignore[attr-defined]
        sys.modules[NAME] = kept
        atexit.register(kept.memory.end)  # type: ignore[attr-defined]
    return kept.memory  # type: ignore[attr-defined, no-any-return]
