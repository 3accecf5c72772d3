"""ctest_counts.py FOLDER: runs ctest in that folder of a build and counts doctest cases.

A test program that is no doctest program counts as one. Prints all output, and
last `N passed, N failed, N skipped`.
"""

import os
import re
import subprocess
import sys

RESULT = re.compile(r"^\s*\d+/\d+ Test\s+#(\d+): (\S+) [ .]*(\S.*?)\s+[\d.]+ sec")
CASES = re.compile(r"^(\d+): \[doctest\] test cases: *\d+ \| *(\d+) passed \| "
                   r"*(\d+) failed \| *(\d+) skipped")


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
    command = ["ctest", "--test-dir", sys.argv[1], "-V", "--timeout", "300",
               "-j", str(os.cpu_count() or 1)]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, errors="replace", check=False)
    print(run.stdout)
    passed, failed, skipped, broken = count(run.stdout.splitlines())
    for each in broken:
        print("FAIL: " + each)
    if passed + failed + skipped == 0:
        print("FAIL: no tests were found")
        failed = 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
