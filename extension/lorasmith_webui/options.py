"""lorasmith's section in the host's Settings tab."""

from __future__ import annotations

import inspect

import gradio as gr  # noqa: TID253  (the host has it loaded already)
from modules import shared

SECTION = ("lorasmith", "LoRA Smith")


def add() -> None:
    """Adds the section; all of it applies from the next start of lorasmith's own process on."""
    # Whoever may use the host's API need not be one who may change how programs are started.
    known = inspect.signature(shared.OptionInfo.__init__).parameters
    hidden_from_api = {"restrict_api": True} if "restrict_api" in known else {}

    def one(name: str, default: object, label: str, component: object = None, **words: object) -> None:
        info = shared.OptionInfo(default, label, component, words or None, section=SECTION, **hidden_from_api)
        shared.opts.add_option("lorasmith_" + name, info)

    one("autostart", False, "Start LoRA Smith together with the WebUI (else when its tab is first opened)", gr.Checkbox)
    one("give_back_gpu", True, "Take the WebUI's model off the GPU while a LoRA is trained", gr.Checkbox)
    one("projects", "", "Folder for new projects (empty: lorasmith's own choice)", gr.Textbox)
    one("port", 0, "Port on this machine for LoRA Smith's own process (0: any that is free)", gr.Number, precision=0)
    one("arguments", "", "Extra arguments for `lorasmith ui`, such as the folder of a project to show first", gr.Textbox)
