"""ctest_counts.py FOLDER: runs ctest in that folder of a build and counts doctest cases.

A test program that is no doctest program counts as one. Prints all output, then
a line `FAIL: …` for each program and assertion that failed, for who sees only
the end of a log, and last `N passed, N failed, N skipped`.
"""

import os
import re
import subprocess
import sys

RESULT = re.compile(r"^\s*\d+/\d+ Test\s+#(\d+): (\S+) [ .]*(\S.*?)\s+[\d.]+ sec")
CASES = re.compile(r"^(\d+): \[doctest\] test cases: *\d+ \| *(\d+) passed \| "
                   r"*(\d+) failed \| *(\d+) skipped")

# How doctest tells of an assertion: its case above it, its values below.
CASE = re.compile(r"^(\d+): TEST CASE: +(.*)")
ASSERTION = re.compile(r"^(\d+): \S*?([^/ ]+:\d+: (?:FATAL )?ERROR: .*)")
VALUES = re.compile(r"^(\d+): +((?:values|logged): .*)")


def failed_assertions(lines):
    """One text per failed assertion of `ctest -V` output: case, place, values."""
    cases, failures = {}, []
    last = None
    for line in lines:
        if found := CASE.match(line):
            cases[found[1]] = found[2]
        elif found := ASSERTION.match(line):
            last = found[1]
            failures.append(f"{cases.get(last, '?')}: {found[2]}")
        elif (found := VALUES.match(line)) and found[1] == last:
            failures[-1] += " " + found[2]
            last = None
    return failures


def count(lines):
    """(passed, failed, skipped, names of failed programs) of `ctest -V` output."""
    cases, passed, failed, skipped, broken = {}, 0, 0, 0, []
    for line in lines:
        if found := CASES.match(line):
            cases[found[1]] = [int(part) for part in found.groups()[1:]]
        elif found := RESULT.match(line):
            number, name, verdict = found.groups()
            if "Skipped" in verdict:
                skipped += 1
                continue
            good = verdict.endswith("Passed")
            own = cases.get(number, [int(good), 0, 0])
            # A crash or a sanitizer's report after the last case.
            if not good and own[1] == 0:
                own = [own[0], 1, own[2]]
            passed, failed, skipped = (
                passed + own[0], failed + own[1], skipped + own[2])
            if not good:
                broken.append(f"{name}: {verdict.strip('* ')}")
    return passed, failed, skipped, broken


def main():
    command = ["ctest", "--test-dir", sys.argv[1], "-V", "--timeout", "900",
               "-j", str(os.cpu_count() or 1)]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, errors="replace", check=False)
    print(run.stdout)
    lines = run.stdout.splitlines()
    passed, failed, skipped, broken = count(lines)
    for each in broken + failed_assertions(lines):
        print("FAIL: " + each)
    if passed + failed + skipped == 0:
        print("FAIL: no tests were found")
        failed = 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
