"""What two projects are compared by: the record and every file that counts, times left out."""

import hashlib
import json
from pathlib import Path
from typing import Any

from lorasmith.project.database import JOURNALLED, connect


def record_of(folder: Path) -> dict[str, Any]:
    """Gives tables and file hashes of a project; what holds times or can be made again is left out."""
    database = connect(folder / "project.db")
    tables = {
        table: [tuple(row) for row in database.execute(f"SELECT * FROM {table} ORDER BY {', '.join(keys)}")]
        for table, (keys, _) in JOURNALLED.items()
    }
    tables["journal"] = [
        tuple(row) for row in database.execute("SELECT stage, what, state FROM journal ORDER BY entry")
    ]
    database.close()
    files = {}
    for place in ("images", "edits", "dataset", "loras", "evaluations"):
        for path in sorted((folder / place).rglob("*")):
            if path.is_file() and path.name not in ("scores.json", "report.html"):
                files[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    scores = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / "evaluations").rglob("scores.json"))
    ]
    for each in scores:
        each.pop("made")
    return {"tables": tables, "files": files, "scores": scores}
