"""How long until the page is up, and what leaving out Gradio's editor stubs saves: `python benchmarks/ui_start.py [TIMES]`.

Each round measures in turn: a plain `import gradio`, the same through lorasmith/ui/projects/quick_import.py, and `lorasmith ui`
until its first page has arrived. The medians and their ratio are printed; only the ratio says anything about the code.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

PLAIN = "import gradio"
QUICK = "from lorasmith.ui.projects.quick_import import import_gradio; import_gradio()"


def seconds_of(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def seconds_until_the_page(home: Path) -> float:
    """Starts the page of a person without projects; gives the time until its HTML is there."""
    places = {name: str(home / name) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA")}
    command = [sys.executable, "-m", "lorasmith", "ui", "--no-browser"]
    began = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | places)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split(" is at ")[1].split()[0]
        while True:
            try:
                with urllib.request.urlopen(address, timeout=30) as page:
                    page.read()
                return time.perf_counter() - began
            except OSError:
                time.sleep(0.01)
    finally:
        server.terminate()
        server.wait()


def main(times: int) -> None:
    plain, quick, page = [], [], []
    with tempfile.TemporaryDirectory() as home:
        for _ in range(times + 1):  # the first round warms the disk's cache and is not counted
            plain.append(seconds_of(PLAIN))
            quick.append(seconds_of(QUICK))
            page.append(seconds_until_the_page(Path(home)))
    told = {"import gradio": plain, "without editor stubs": quick, "lorasmith ui, first page": page}
    for name, seconds in told.items():
        print(f"{name:28} {statistics.median(seconds[1:]):6.2f} s")
    print(f"{'stubs cost a factor of':28} {statistics.median(plain[1:]) / statistics.median(quick[1:]):6.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
