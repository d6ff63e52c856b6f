"""Command line, options and state, as extensions find them."""

import threading
from types import SimpleNamespace

cmd_opts = SimpleNamespace()
demo = None
ui_is_being_built = False


class OptionInfo:
    def __init__(self, default=None, label="", component=None, component_args=None, onchange=None, section=None, restrict_api=False):
        self.default, self.label, self.component = default, label, component
        self.component_args, self.section, self.restrict_api = component_args or {}, section, restrict_api


class Options:
    def __init__(self):
        self.data, self.data_labels = {}, {}

    def add_option(self, key, info):
        self.data_labels[key] = info
        self.data.setdefault(key, info.default)

    def __getattr__(self, name):
        data = self.__dict__.get("data", {})
        if name in data:
            return data[name]
        raise AttributeError(name)


class State:
    def __init__(self):
        self.job, self.interrupted, self.sampling_step, self.sampling_steps = "", False, 0, 0
        self._command, self._said = None, threading.Event()

    def begin(self, job=""):
        self.job = job

    def end(self):
        self.job = ""


opts = Options()
state = State()


def __getattr__(name):
    """The loaded model: asking for it while the UI is built would make a real host load one."""
    if name == "sd_model":
        if ui_is_being_built:
            print("TOUCHED shared.sd_model while the UI was built", flush=True)
        return SimpleNamespace()
    raise AttributeError(name)
