"""What the WebUI loads. Nothing is defined here: the host does not register this file as a module."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "extension"))

import lorasmith_webui  # noqa: E402  (found only through the line above)

lorasmith_webui.register()
