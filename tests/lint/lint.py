"""lint.py ROOT: rules of the source tree that no compiler checks.

Each rule is one test; what breaks it is printed as `FAIL: file:line: …`. Rules
and figures come from the project's style: who may include whom, sizes, banned
calls, no leftovers.
"""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cpp_text import functions, strip

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
TEST_FUNCTION_LINES_MAX = 120  # a table's rows stand in its test
PRODUCT = ("actors/", "storage/", "protocols/")

# Folder -> (what of this repository it may include, what of others it may not).
# The longest folder that fits counts; nothing listed = everything is allowed.
CAF, GRPC, NET = ("caf/",), ("grpc", "grpcpp/"), ("boost/asio", "boost/beast")
DISK, UI = ("rocksdb/",), ("spdlog/", "yaml-cpp/", "CLI/", "prometheus/")
DIRECTIONS = {
    "actors/core/": (("actors/core/", "muster/"),
                     CAF + GRPC + DISK + UI + ("boost/", "openssl/", "thread")),
    "actors/api/": (("actors/core/", "actors/api/", "muster/"),
                    GRPC + DISK + UI + ("boost/",)),
    "actors/runtime/": (("actors/core/", "actors/api/", "actors/runtime/", "muster/"),
                        GRPC + DISK + ("boost/asio", "boost/beast", "yaml-cpp/", "CLI/")),
    "actors/node/settings/": (("actors/core/base/", "actors/node/settings/",
                               "muster_version.inc"), CAF + GRPC + DISK + ("boost/",)),
    "storage/": (("actors/core/", "storage/", "muster/"), CAF + GRPC + NET + DISK),
    "storage/rocksdb/": (("actors/core/", "storage/", "muster/"), CAF + GRPC + NET),
    "storage/fault/": (("actors/core/", "storage/", "muster/"), CAF + GRPC + NET),
    "protocols/common/": (("actors/core/", "actors/api/", "protocols/common/", "muster/"),
                          GRPC + DISK + ("yaml-cpp/", "CLI/")),
    "protocols/http/": (("actors/core/", "actors/api/", "protocols/common/",
                         "protocols/http/", "muster/"), GRPC + DISK),
    "protocols/http_client/": (("actors/core/base/", "protocols/http_client/"),
                               CAF + GRPC + DISK + UI),
    "protocols/grpc/": (("actors/core/", "actors/api/", "protocols/common/",
                         "protocols/grpc/", "muster/"), DISK + ("boost/beast",)),
    "protocols/nacos/": (("actors/core/", "actors/api/", "protocols/common/",
                          "protocols/http/", "protocols/grpc/", "protocols/nacos/",
                          "muster/"), DISK + ("boost/beast",)),
}

BANNED = {
    r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\b": "nothing may block",
    r"\bstd::system\b|\bsystem\s*\(\s*\"|\bpopen\s*\(": "no shell",
    r"\bstd::regex\b|<regex>": "its time is not bounded",
    r"\b(?:strcpy|strcat|sprintf|gets|strtok|atoi|atol)\s*\(": "not checked",
    r"\bcaf::infinite\b|\binfinite\s*[,)]": "a request has a deadline",
    r"\bcaf/all\.hpp\b": "slow to compile; include what is used",
}
RANDOM = r"(?<![\w.>])s?rand\s*\(|\brandom_device\b"
RANDOM_ALLOWED = ("actors/node/", "actors/runtime/", "actors/core/base/", "storage/",
                  "protocols/common/")
# GCC 12 destroys such an aggregate twice (protocols/common/ask.hpp).
BRACED_ASK = re.compile(r"\bco_await\s+(?:\w+::)*ask\s*\([^;]*?,\s*[\w:]+(?:<[^;{}]*>)?"
                        r"\s*\{\s*[^}\s]")
CORE_BANNED = (r"\b(?:steady_clock|system_clock)::now\b|\bgetenv\b|\bstd::(?:o|i)?fstream\b")
CORE_ALLOWED = ("actors/core/base/clock",)

MARKERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")
MACHINE_PATHS = re.compile(r"(?<![\w.$}])/(?:" + "|".join(
    ("wo" + "rk/", "ro" + "ot/", "ho" + "me/[a-z]", "tmp/" + "j/", "Us" + "ers/")) + ")")

CODE = (".cpp", ".hpp", ".py", ".sh", ".proto", ".java", ".go", ".js", ".ts")


class Tree:
    def __init__(self, root):
        self.root = root
        listed = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "-co", "--exclude-standard"],
            capture_output=True, check=True).stdout.decode().split("\0")
        self.files = sorted(name for name in listed
                            if name and (root / name).is_file())
        self._texts = {}

    def text(self, name):
        if name not in self._texts:
            self._texts[name] = (self.root / name).read_text(errors="replace")
        return self._texts[name]

    def of(self, *endings, under=("",)):
        return [name for name in self.files
                if name.endswith(endings) and name.startswith(under)]

    def own_text_files(self):
        """Text written here: not recorded data, not licences, not lock files."""
        for name in self.files:
            if name.startswith(("tests/golden/", "tests/fuzz/corpus/")):
                continue
            if name in ("LICENSE",) or name.endswith(
                    ("go.sum", "package-lock.json", ".bin", ".png", ".der", ".pem")):
                continue
            yield name

    def scripts(self):
        for name in self.files:
            if name.endswith(".sh") or (
                    "." not in Path(name).name
                    and self.text(name).startswith("#!/usr/bin/env bash")):
                yield name


def lines_with(text, pattern):
    for match in re.finditer(pattern, text):
        yield text.count("\n", 0, match.start()) + 1, match.group(0).strip()


def include_directions(tree):
    include = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)
    for name in tree.of(".hpp", ".cpp", under=PRODUCT):
        folder = max((f for f in DIRECTIONS if name.startswith(f)), key=len, default=None)
        for match in include.finditer(tree.text(name)):
            line = tree.text(name).count("\n", 0, match.start()) + 1
            quote, target = match.groups()
            if quote == '"' and not (target.startswith("muster") or
                                     (tree.root / target).is_file()):
                yield f"{name}:{line}: {target} is not a path from the root"
            if folder is None:
                continue
            allowed, forbidden = DIRECTIONS[folder]
            if quote == '"' and not target.startswith(allowed):
                yield f"{name}:{line}: {folder} may not include {target}"
            if quote == "<" and target.startswith(forbidden):
                yield f"{name}:{line}: {folder} may not include <{target}>"


def file_sizes(tree):
    for name in tree.of(*CODE):
        count = tree.text(name).count("\n")
        if count > FILE_LINES_MAX and not name.startswith("tests/golden/"):
            yield f"{name}:{count}: more than {FILE_LINES_MAX} lines"


def function_sizes(tree):
    for name in tree.of(".cpp", ".hpp"):
        limit = FUNCTION_LINES_MAX if name.startswith(PRODUCT) else TEST_FUNCTION_LINES_MAX
        for first, last, head in functions(tree.text(name)):
            if last - first + 1 > limit:
                yield f"{name}:{first}: {last - first + 1} lines: {head[:60]}"
    for name in tree.of(".py"):
        for node in ast.walk(ast.parse(tree.text(name))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = node.end_lineno - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    yield f"{name}:{node.lineno}: {length} lines: {node.name}"


def banned_calls(tree):
    for name in tree.of(".cpp", ".hpp", under=PRODUCT):
        code = strip(tree.text(name))
        for pattern, why in BANNED.items():
            for line, what in lines_with(code, pattern):
                yield f"{name}:{line}: {what}: {why}"
        if not name.startswith(RANDOM_ALLOWED):
            for line, what in lines_with(code, RANDOM):
                yield f"{name}:{line}: {what}: chance is injected"


def braced_asks(tree):
    for name in tree.of(".cpp", ".hpp", under=PRODUCT + ("tests/",)):
        code = strip(tree.text(name))
        for match in BRACED_ASK.finditer(code):
            line = code.count("\n", 0, match.start()) + 1
            yield f"{name}:{line}: build the message before the co_await"


def pure_core(tree):
    for name in tree.of(".cpp", ".hpp", under="actors/core/"):
        if name.startswith(CORE_ALLOWED):
            continue
        for line, what in lines_with(strip(tree.text(name)), CORE_BANNED):
            yield f"{name}:{line}: {what}: the core is given time, chance and bytes"


def sleeping_tests(tree):
    for name in tree.of(".cpp", ".hpp", under="tests/"):
        if name.startswith("tests/support/"):
            continue
        for line, what in lines_with(strip(tree.text(name)), r"\b(?:sleep_for|usleep)\b"):
            yield f"{name}:{line}: {what}: wait for a condition (tests/support)"


def tests_assert(tree):
    case = re.compile(r'^TEST_CASE(?:_\w+)?\(', re.M)
    check = re.compile(r"\b(?:CHECK|REQUIRE|FAIL|WARN)\w*\s*\(|\b(?:check|expect|verify)\w*\s*[(<]"
                       r"|\bSUBCASE\b")
    for name in tree.of("_test.cpp", under="tests/"):
        text = strip(tree.text(name))
        first = case.search(text)
        if first and check.search(text, 0, first.start()):
            continue  # its helpers check
        for match in case.finditer(text):
            end = case.search(text, match.end())
            if not check.search(text, match.end(), end.start() if end else len(text)):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{name}:{line}: a test without a check"


def settings_are_obeyed(tree):
    """A row of the table says "obeyed" if and only if the wiring reads its member."""
    table = "actors/node/settings/table.cpp"
    if table not in tree.files:
        return
    readers = [name for name in tree.of(".cpp", under="actors/node/")
               if not name.startswith("actors/node/settings/")]
    wiring = "".join(strip(tree.text(name))
                     for name in [*readers, "actors/node/settings/settings.hpp",
                                  "actors/node/settings/member_list.cpp"])
    wiring += strip(tree.text("actors/node/settings/logging.cpp")).replace("options.", "log.")
    row = re.compile(r"(not_yet\()?\w+<&s::(\w+), &s::\w+::(\w+)>")
    for match in row.finditer(strip(tree.text(table))):
        later, group, member = match.groups()
        read = re.search(rf"\b{group}\.{member}\b", wiring)
        if bool(read) == bool(later):
            line = tree.text(table).count("\n", 0, match.start()) + 1
            yield (f"{table}:{line}: {group}.{member} is "
                   + ("read, but its row says not_yet" if later else
                      "read by nothing in actors/node; say not_yet"))


def markers(tree):
    for name in tree.own_text_files():
        for line, what in lines_with(tree.text(name), MARKERS):
            yield f"{name}:{line}: leftover {what}"


def machine_paths(tree):
    for name in tree.own_text_files():
        for line, what in lines_with(tree.text(name), MACHINE_PATHS):
            yield f"{name}:{line}: path of one machine: {what}"


def pragma_once(tree):
    for name in tree.of(".hpp"):
        first = re.search(r"^\s*#.*$", strip(tree.text(name)), re.M)
        if not first or first.group(0).strip() != "#pragma once":
            yield f"{name}:1: does not begin with #pragma once"


def clean_lines(tree):
    for name in tree.of(*CODE, ".md", ".txt", ".cmake", ".yml"):
        if name.startswith("tests/golden/"):
            continue
        text = tree.text(name)
        if "\r" in text or (text and not text.endswith("\n")):
            yield f"{name}:1: carriage returns, or no newline at the end"
        if name.endswith((".cpp", ".hpp")):
            for line, _ in lines_with(text, r"\t|[ ]+\n"):
                yield f"{name}:{line}: tab or blanks at the end"


def shell_syntax(tree):
    for name in tree.scripts():
        run = subprocess.run(["bash", "-n", tree.root / name], capture_output=True, text=True,
                             check=False)
        if run.returncode:
            yield f"{name}: {run.stderr.strip()}"


def shellcheck(tree):
    # Sourced files are found at run time; suites get their variables from outside.
    run = subprocess.run(
        ["shellcheck", "-s", "bash", "-S", "warning", "-e", "SC1091", "-f", "gcc",
         *(tree.root / name for name in tree.scripts())],
        capture_output=True, text=True, check=False)
    yield from run.stdout.replace(f"{tree.root}/", "").splitlines()


def self_check(_):
    """The counter of functions, against samples."""
    for source, expected in SAMPLES:
        found = [(first, last) for first, last, _ in functions(source)]
        if found != expected:
            yield f"tests/lint/lint.py: {source!r}: {found} instead of {expected}"
    for text, bad in ASKS:
        if bool(BRACED_ASK.search(text)) != bad:
            yield f"tests/lint/lint.py: {text!r}: {'not ' if bad else ''}found"


ASKS = [
    ("co_await ask(slot->actor(),\n  api::x{1, 2});", True),
    ("auto a = co_await common::ask(to, y<int>{n});", True),
    ("if (!co_await ask(to, std::move(m))) {", False),
    ("co_await ask(to, m); x y{1};", False),
    ("co_await ask(all(id{0}), m);", False),
    ("co_await ask(all(id{0}), m{n});", True),
    ("co_await ask(to, empty{});", False),
]

SAMPLES = [
    ("int f() {\n  return 1;\n}\n", [(1, 3)]),
    ("MACRO(x)\nnamespace a {\nint f() {\n}\n}\n", [(2 + 1, 4)]),
    ("struct a : b<c> {\n  int x{1};\n  a()\n    : x{2},\n      y{3} {\n  }\n};\n", [(3, 6)]),
    ("template <class T>\nvoid f(T t) {\n  auto g = [] {\n  };\n}\n", [(1, 5)]),
    ("// int f() {\nchar c = '{';\nauto s = R\"({)\";\nint f() { if (1) {} }\n", [(4, 4)]),
    ("constexpr int a[] = {1, 2};\nenum class e : int { x };\n", []),
    ("#define F(x) do { \\\n  } while (0)\nvoid f() {}\n", [(3, 3)]),
]


def missing_readmes(tree):
    """Only told, never failed."""
    for parent in PRODUCT:
        for folder in sorted({"/".join(name.split("/")[:2])
                              for name in tree.of(".cpp", ".hpp", under=parent)
                              if name.count("/") > 1}):
            if f"{folder}/README.md" not in tree.files:
                print(f"note: {folder}/ has no README.md")


RULES = [include_directions, file_sizes, function_sizes, banned_calls, braced_asks, pure_core,
         sleeping_tests, tests_assert, markers, machine_paths, pragma_once, clean_lines,
         settings_are_obeyed, shell_syntax, self_check]


def main():
    tree = Tree(Path(sys.argv[1]).resolve())
    rules = RULES + ([shellcheck] if shutil.which("shellcheck") else [])
    passed = failed = 0
    for rule in rules:
        found = list(rule(tree))
        for each in found:
            print(f"FAIL: {each}")
        print(f"{rule.__name__}: {len(found) or 'no'} findings")
        passed, failed = passed + (not found), failed + bool(found)
    missing_readmes(tree)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
