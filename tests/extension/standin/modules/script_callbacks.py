"""The host's list of callbacks. As on the oldest host, a callback cannot be given a name."""

import traceback

_callbacks = {}


def _registrar(kind):
    def register(callback):
        _callbacks.setdefault(kind, []).append(callback)

    return register


on_before_ui = _registrar("before_ui")
on_ui_settings = _registrar("ui_settings")
on_ui_tabs = _registrar("ui_tabs")
on_app_started = _registrar("app_started")
on_before_reload = _registrar("before_reload")
on_script_unloaded = _registrar("script_unloaded")
on_model_loaded = _registrar("model_loaded")
on_image_saved = _registrar("image_saved")


def call(kind, *words):
    """Calls all of a kind; an exception is reported and the others go on, as hosts do."""
    answers = []
    for callback in list(_callbacks.get(kind, [])):
        try:
            answers.append(callback(*words))
        except Exception:  # noqa: BLE001  (what a host does)
            print(f"CALLBACK-FAILED {kind}", flush=True)
            traceback.print_exc()
    return answers


def clear():
    _callbacks.clear()
