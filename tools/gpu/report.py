"""The table on the terminal and the JSON file."""

import json


def duration(seconds):
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def line(row):
    for problem in ("failed", "unsupported"):
        if problem in row:
            return f"{row['case']:<76} {problem}: {row[problem]}"
    columns = [duration(row["times"]["upsilon"]["median_s"]), duration(row["times"]["upsilon"]["p99_s"]),
               duration(row["floor_s"]) if row.get("floor_s") else "-",
               f"{100 * row['share_of_floor']:.0f} %" if row.get("share_of_floor") else "-",
               f"{row['ratio']:.2f}x {row['best_peer']} ({duration(row['times'][row['best_peer']]['median_s'])})"
               if "ratio" in row else "-"]
    return f"{row['case']:<76} {columns[0]:>9} {columns[1]:>9} {columns[2]:>9} {columns[3]:>6}  {columns[4]}"


HEADER = f"{'case':<76} {'median':>9} {'p99':>9} {'floor':>9} {'share':>6}  ratio to the best peer"


def notes(row):
    return [f"    {name} is left out: {why}" for name, why in row.get("left_out", {}).items()]


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
