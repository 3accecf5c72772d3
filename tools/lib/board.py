"""board.py OUT COMMAND LOG...: prints the board of a test run, and writes it to OUT.

The board answers one question per row: what did this run show about what the
server promises? Suites print lines `board: name=value …` (tools/lib/suites.sh);
a row adds up what it names. A row without figures shows a dash: what was not
looked at must not look like what held.
"""

import datetime
import json
import shlex
import subprocess
import sys
from pathlib import Path

NOT_MEASURED = "-"


def read(path):
    """The board's lines of one log, as dictionaries of texts."""
    lines = []
    for text in Path(path).read_text(errors="replace").splitlines():
        _, found, words = text.partition("board: ")
        if found:
            pairs = (word.partition("=") for word in shlex.split(words))
            lines.append({name: value for name, _, value in pairs})
    return lines


def number(text):
    value = float(text)
    return int(value) if value.is_integer() else value


def total(lines, name):
    return sum(number(line[name]) for line in lines if name in line)


def worst(lines, name):
    return max(number(line[name]) for line in lines if name in line)


def summed(*names, where=None):
    """A row that adds up, over the lines that have all of these names."""
    def row(lines):
        fit = [line for line in lines if all(name in line for name in names)
               and (where is None or where(line))]
        return {name: round(total(fit, name), 2) for name in names} if fit else {}
    return row


def worst_of(*names):
    def row(lines):
        fit = [line for line in lines if all(name in line for name in names)]
        return {name: worst(fit, name) for name in names} if fit else {}
    return row


def is_simulated(line):
    return line.get("suite") == "sim"


# What a row is about, and what of the lines it shows.
ROWS = (
    ("simulated groups", summed("seeds", "simulated_hours", "failed", where=is_simulated)),
    ("commands compared with an oracle", summed("commands_checked", "failed")),
    ("writes acknowledged before a crash", summed("acked_writes", "lost")),
    ("operations checked for linearizability", summed("operations", "violations", "undecided")),
    ("changes told to listeners", summed("changes_told")),
    ("outage when a leader is killed, ms", worst_of("outage_ms_p50", "outage_ms_p99")),
    ("live clients that were taken for dead", summed("instances", "false_expiries")),
    ("I/O calls failed one by one", summed("io_calls", "io_calls_failed")),
    ("real SDKs on a cluster", summed("sdk_writes", "sdk_reads", "wrong")),
    ("planted bugs", summed("planted", "caught")),
    ("hostile inputs (fuzzing)", summed("fuzz_inputs", "fuzz_findings")),
    ("tests under sanitizers", summed("sanitized_tests", "sanitizer_failures")),
)
# What belongs on the board, and no suite measures yet.
MISSING = ("bits flipped on disk", "cases of access rights",
           "goodput at three times the load", "slopes of a soak", "pairs of versions upgraded")


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12"],
                          cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main(out, command, logs):
    lines = [line for log in logs for line in read(log)]
    rows = {about: row(lines) for about, row in ROWS} | dict.fromkeys(MISSING, {})
    head = {"commit": commit(), "date": datetime.date.today().isoformat(), "command": command}
    Path(out).write_text(json.dumps({**head, "rows": rows, "lines": lines}, indent=1) + "\n")
    print(f"The board of {head['commit']}, {head['date']}, {command}")
    width = max(map(len, rows))
    for about, figures in rows.items():
        shown = ", ".join(f"{name} {value:,}" for name, value in figures.items())
        print(f"  {about:{width}}  {shown or NOT_MEASURED}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
