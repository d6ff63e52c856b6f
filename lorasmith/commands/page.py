"""The command `lorasmith ui`: the page in a browser, at home, in a home network, or inside a WebUI's tab."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from lorasmith.commands.farm import Where, opened
from lorasmith.errors import UsageError


@Parameter(name="*")
@dataclass(frozen=True)
class Reach:
    """Who reaches the page, and how."""

    port: Annotated[int, Parameter(help="the port; left out: 7870, or the next that is free")] = 0
    listen: Annotated[bool, Parameter(help="let the network reach the page; needs a password", negative="")] = False
    password: Annotated[str, Parameter(env_var="LORASMITH_PASSWORD", help="asked of everyone with --listen")] = ""


def ui(
    folder: Annotated[Path | None, Parameter(help="a project to show first")] = None,
    *,
    reach: Reach | None = None,
    browser: Annotated[bool, Parameter(help="open a browser")] = True,
    child: Annotated[bool, Parameter(show=False, negative="")] = False,
    where: Where | None = None,
) -> None:
    """Open the page in a browser: projects, a form and a picture for each stage, jobs that outlive a closed page."""
    from lorasmith.ui.server import serve
    from lorasmith.ui.wish import Serving, child_serving

    if child:  # inside a WebUI: the first line of input says how
        try:
            wish = child_serving(json.loads(sys.stdin.buffer.readline()), folder)
        except ValueError as error:
            raise UsageError("`ui --child` is for the WebUI's tab: it sends a line of JSON first.") from error
    else:
        reach = reach or Reach()
        wish = Serving(folder, reach.port, reach.listen, reach.password, browser)
    if where is None or where == Where():
        serve(wish, _say)
        return
    with opened(where) as place:
        serve(wish, _say, place)


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()
