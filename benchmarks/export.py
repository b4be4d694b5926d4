"""Evaluations of a database as text files: export.py DATABASE... writes data/ beside this script.

What is there already stays; so a recording that goes on can be exported again and again.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from studies.schema import CANDIDATES, EVALUATIONS
from studies.store import open_store

DATA = Path(__file__).parent / "data"
FIELDS = ("key", "batch_size", "learning_rate", "plain_learning_rate", "precision", "resolution")
FIELDS += ("channels", "budget", "seed", "accuracy", "loss", "seconds")
IDENTITY = FIELDS[:-3]


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("give the databases to export: export.py record.db ...")
    DATA.mkdir(exist_ok=True)
    candidates, rows = read(DATA)
    for path in sys.argv[1:]:
        with open_store(f"sqlite:///{path}").transaction() as connection:
            for known in connection.execute(sa.select(CANDIDATES.c.key, CANDIDATES.c.candidate)):
                candidates[known.key] = known.candidate
            for evaluation in connection.execute(sa.select(EVALUATIONS)):
                values = evaluation._asdict() | evaluation.recipe
                row = {name: str(values[name]) for name in FIELDS}
                rows.setdefault(tuple(row[name] for name in IDENTITY), row)
    used = {row["key"] for row in rows.values()}
    lines = [
        json.dumps({"key": key, "candidate": candidates[key]}, separators=(",", ":"))
        for key in sorted(used)
    ]
    (DATA / "candidates.jsonl").write_text("\n".join(lines) + "\n")
    with (DATA / "evaluations.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[identity] for identity in sorted(rows))
    print(f"{len(used)} candidates, {len(rows)} evaluations in {DATA}")


def read(directory: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], dict[str, str]]]:
    """What an earlier export wrote: candidates by key, evaluations by what identifies them."""
    candidates, rows = {}, {}
    if (directory / "candidates.jsonl").exists():
        for line in (directory / "candidates.jsonl").read_text().splitlines():
            known = json.loads(line)
            candidates[known["key"]] = known["candidate"]
        with (directory / "evaluations.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                rows[tuple(row[name] for name in IDENTITY)] = row
    return candidates, rows


if __name__ == "__main__":
    main()
