"""lorasmith inside Stable Diffusion WebUI: the tab, the child process, the pass-through, and the host's powers."""


def register() -> None:
    """Registers every callback; safe to call again, as "Reload UI" does."""
    from lorasmith_webui import callbacks

    callbacks.register()
