"""Searches in an export of made-up posts, against a plain pass of Python's csv.reader over the same file.

    python benchmarks/export.py [rows] [rounds]

Told is, per kind of search, how many posts it finds, its CPU time as a share of the plain pass (median over rounds that
take turns in one process; under 1 it is quicker), and the peak memory of a process that does nothing else, the interpreter with
its libraries included (MB; Linux only). "Every post held" keeps all of them at once, which no stage does.
"""

import csv
import gzip
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from lorasmith.boorus.export import COLUMNS, open_export

SEARCHES = {  # what is searched, and how deep
    "one post of 500": ("rare_one solo order:score", 3200),
    "also in a third of the descriptions": ("told_of solo order:score", 3200),
    "half of all posts": ("solo order:score", 3200),
    "no tag at all": ("score:>100 order:favcount", 3200),
    "every post held": ("order:score", 240_000),
}
MORE = ("uploader_id", "locked_tags", "comment_count", "description", "is_pending", "is_flagged", "up_score", "down_score")
COLORS = "red blue green dark light long short open closed big small white black grey striped spotted".split()
PARTS = "fur eyes hair tail ears hat scarf background shirt paws wings horns nose claws mane smile sky grass tree".split()


def write_export(folder: Path, rows: int) -> None:
    """Writes posts with about 30 tags each, and a description of some lines with quotes for every third, and their tags."""
    chance = random.Random(1)
    tags = [f"{color}_{part}" for color in COLORS for part in PARTS]
    weights = [1 / place for place in range(1, len(tags) + 1)]
    columns = ["id", *MORE, *(name for name in COLUMNS if name != "id")]
    with gzip.open(folder / "posts.csv.gz", "wt", 6, "utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        for number in range(1, rows + 1):
            special = ["solo"] * (number % 2) + ["rare_one", "told_of", "solo"] * (number % 500 == 0)
            row = made_up_post(number, sorted({*chance.choices(tags, weights, k=45), *special}), chance)
            writer.writerow([row.get(column, "") for column in columns])
    with gzip.open(folder / "tags.csv.gz", "wt", 6, "utf-8", newline="") as stream:
        csv.writer(stream).writerows([("id", "name", "category", "post_count"), *((1, tag, 0, 9) for tag in tags)])


def made_up_post(number: int, tags: list[str], chance: random.Random) -> dict[str, object]:
    """Makes one row; no number has a meaning."""
    words = "".join(chance.choices("etaoinshrdlu    ", k=200))
    return {
        "id": number, "created_at": f"20{10 + number % 15}-05-06 07:08:09.123", "md5": f"{chance.getrandbits(128):032x}",
        "source": f"https://example.org/{number}\nhttps://example.com/{number}", "rating": "sqe"[number % 3],
        "image_width": 900 + number % 999, "image_height": 900 + number % 777, "tag_string": " ".join(tags),
        "fav_count": chance.randrange(2000), "file_ext": "png", "change_seq": number * 7, "file_size": number + 100_000,
        "description": "" if number % 3 else f'A "told_of" in quotes,\n{words}\n', "is_deleted": "ft"[number % 11 == 0],
        "score": chance.randrange(-20, 900), "is_pending": "f", "is_flagged": "f", "uploader_id": number % 999,
    }  # fmt: skip


def search(folder: Path, name: str) -> int:
    """Searches once, and says how many posts came."""
    query, limit = SEARCHES[name]
    return len(list(open_export(folder).search(query, limit)))


def plain_pass(folder: Path) -> int:
    """Reads every row with Python's own reader."""
    with gzip.open(folder / "posts.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        return sum(1 for _ in csv.reader(stream))


def seconds(work: Callable[..., object], *words: object) -> float:
    """Gives CPU seconds."""
    began = time.process_time()
    work(*words)
    return time.process_time() - began


def peak(folder: Path, name: str) -> float:
    """Gives the megabytes that a process of its own takes for one search."""
    command = [sys.executable, __file__, "--peak", str(folder), name]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main(rows: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_export(folder, rows)
        plain, ours = [], {name: [] for name in SEARCHES}
        for _ in range(rounds):
            plain.append(seconds(plain_pass, folder))
            for name in SEARCHES:
                ours[name].append(seconds(search, folder, name))
        print(f"{rows} rows; plain pass of csv.reader {rows / statistics.median(plain):.0f} rows/s")
        for name in SEARCHES:
            ratio = statistics.median(mine / his for mine, his in zip(ours[name], plain, strict=True))
            print(f"{name:36} {search(folder, name):6} posts  time {ratio:5.2f}  peak {peak(folder, name):4.0f} MB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        search(Path(sys.argv[2]), sys.argv[3])
        # not getrusage's maximum: a new process inherits its parent's
        print(int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
    else:
        main(*(int(word) for word in (sys.argv[1:] + ["100000", "3"][len(sys.argv) - 1 :])))
