#!/usr/bin/env python3
"""Gives the result rows recorded before December 2026 the settings that they lacked, and their records the names of today.

    scripts/migrate_records.py            # says what would change
    scripts/migrate_records.py --write    # changes bench-results/ in place

Until then a row did not say current_scale, off_sphere, readout_rates, readout_batch, init_sigma and validation. They stood
only in the TOML files of the revision that made the record. For each row this script

1. reads crates/harness/{experiments,sweeps}/*.toml at the revision named in the row (`git show`),
2. resolves the settings of the row's point: experiment, method table, sweep settings, and the step of each axis that the
   row's own cells name; a row whose cells contradict the TOML stops the script,
3. inserts the missing columns before dataset_sha256. `balance` did not exist (off), and splits were taken in file order.
   `config_sha256` was not recorded and stays empty.

A record that was changed holds `migrated.txt`, which says so. Running the script again changes nothing. Needs Python 3.11.
"""

import csv
import io
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "bench-results"
NEW = ["balance", "current_scale", "off_sphere", "readout_rates", "readout_batch", "init_sigma", "validation", "split",
       "config_sha256"]

# Sweeps that ran fewer epochs or units than the paper were recorded under `-paper`, since no other name existed.
SHORT = {"cifar10-delta-sweep", "cifar10-grid", "cifar10-k-sweep", "cifar10-p-sweep", "cifar10-search", "delta-sweep",
         "few-labels", "hidden-sweep", "k-sweep", "mnist-grid", "mnist-search", "p-sweep", "tasks"}
RENAMED = {f"{name}-paper": f"{name}-short" for name in SHORT} | {"cifar10-readout-split": "cifar10-readout-split-short"}

# The one record of a sweep that had no file: its command stands in bench-results/README.md.
WITHOUT_FILE = {"cifar10-readout-split": {"validation": 0.2, "readout_epochs": 100}}

# Runs that one revision began and another finished, which the row did not say.
RESUMED = {"cifar10-winner-paper": "2d7eac75cd84+0bb0ab5df273"}

# The methods that use a key; all others are used by every method.
USED_BY = {
    **dict.fromkeys(["k", "delta", "epochs", "batch", "rate", "init_sigma", "balance"], {"biological"}),
    **dict.fromkeys(["p", "power_n", "current_scale", "off_sphere"], {"biological", "random"}),
    "hidden": {"biological", "random", "end-to-end", "end-to-end-softmax"},
    **dict.fromkeys(["loss_m", "beta"], {"biological", "random", "end-to-end", "shallow"}),
}


def toml_at(revision, path):
    """The TOML file at a revision, or None where it did not exist."""
    shown = subprocess.run(["git", "show", f"{revision}:{path}"], cwd=ROOT, capture_output=True, text=True)
    return tomllib.loads(shown.stdout) if shown.returncode == 0 else None


def same(cell, value):
    """Whether a cell of the CSV holds a value of the TOML."""
    if isinstance(value, (int, float)) and cell:
        return float(cell) == value
    return cell == ("" if value == "all" else str(value))


def resolved(row, record, protocol):
    """Every setting of the point that a row is about."""
    revision, method = row["revision"], row["method"]
    sweep = toml_at(revision, f"crates/harness/sweeps/{row['experiment']}.toml") or {}
    base = sweep.get("base", row["dataset"])
    experiment = toml_at(revision, f"crates/harness/experiments/{base}.toml")
    if experiment is None:
        raise SystemExit(f"error: {record}: no experiment {base} at revision {revision}")
    settings = {key: value for key, value in experiment.items() if not isinstance(value, dict)}
    if method != settings.get("method", "biological"):
        settings |= experiment.get("methods", {}).get(method, {})
    settings["method"] = method
    settings |= experiment["quick"] if protocol == "quick" else {}
    settings |= sweep.get("set", {}) | sweep.get("methods", {}).get(method, {})
    settings |= WITHOUT_FILE.get(record.parent.name, {})
    for axis in sweep.get("vary", []):
        settings |= step_of(axis, row, method, record)
    return settings


def step_of(axis, row, method, record):
    """The step of an axis whose values are those of the row."""
    keys = [key for key in axis if method in USED_BY.get(key, {method})]
    steps = [dict(zip(keys, values)) for values in zip(*(axis[key] for key in keys))]
    for step in steps:
        if all(same(row[key], value) for key, value in step.items() if key in row):
            return step
    raise SystemExit(f"error: {record}: a row is at no step of the axis {list(axis)}")


def migrated(row, record, protocol):
    """The row with the settings that it lacked."""
    settings = resolved(row, record, protocol) | {"balance": "off", "split": "file-order"}
    varied = {"power_n", "beta"} if record.parent.name in WITHOUT_FILE else set()
    for key, value in settings.items():
        known = key in row and key not in varied | {"experiment", "seed", "train_samples"}
        if known and row["method"] in USED_BY.get(key, {row["method"]}) and not same(row[key], value):
            raise SystemExit(f"error: {record}: {key} is {row[key]} in the row and {value} in the TOML files")
    used = lambda key: row["method"] in USED_BY.get(key, {row["method"]})
    # The program writes this cell as a text, 1 and not 1.0.
    if settings.get("current_scale") not in (None, "auto"):
        settings["current_scale"] = f"{settings['current_scale']:g}"
    revision = RESUMED.get(record.parent.name, row["revision"])
    return row | {"revision": revision} | {key: settings.get(key, "") if used(key) else "" for key in NEW}


def main():
    write = sys.argv[1:] == ["--write"]
    if sys.argv[1:] not in ([], ["--write"]):
        raise SystemExit(__doc__)
    for path in sorted(RECORDS.glob("*/*/rows.csv")):
        record = path.parent
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        header = list(rows[0]) if rows else []
        if "weights_sha256" in header and "config_sha256" not in header:
            at = header.index("dataset_sha256")
            header[at:at] = NEW
            protocol = "quick" if record.parent.name.endswith("-quick") else "paper"
            rows = [migrated(row, record, protocol) for row in rows]
            print(f"{record.relative_to(ROOT)}: {len(rows)} rows get {', '.join(NEW)}")
            if write:
                out = io.StringIO()
                writer = csv.DictWriter(out, header, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
                path.write_text(out.getvalue())
                (record / "migrated.txt").write_text(
                    "The columns " + ", ".join(NEW) + " were not recorded. scripts/migrate_records.py took them from the TOML"
                    " files of\neach row's revision; config_sha256 is not known and empty. "
                    + ("`revision` names both revisions of a resumed run. " if record.parent.name in RESUMED else "")
                    + "All other cells are as recorded.\n")
        rename(record, rows, write)


def rename(record, rows, write):
    """Names the record by its protocol and by the CPU of its machine."""
    brand = "intel-xeon" if any("Xeon" in row["cpu"] for row in rows) else "amd-epyc"
    isa = "avx512" if any(row["isa"] == "avx512" for row in rows) else "avx2"
    what = RENAMED.get(record.parent.name, record.parent.name)
    new = RECORDS / what / record.name.replace("-vm-", f"-{brand}-{isa}-")
    if new != record:
        print(f"{record.relative_to(ROOT)} -> {new.relative_to(ROOT)}")
        if write:
            new.parent.mkdir(exist_ok=True)
            subprocess.run(["git", "mv", record, new], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
