"""C++ as text: comments and literals blanked out, functions found by braces."""

import re

_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|R"(?P<mark>[^()\\ \n]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)


def _blank(text):
    return "".join(c if c == "\n" else " " for c in text)


def strip(source):
    """`source` with comments blank and literals empty; the lines stay."""
    def replace(match):
        text = match.group(0)
        if text.startswith("/"):
            return _blank(text)
        inner = _blank(text)
        return '"' + inner[1:-1] + '"' if len(inner) > 1 else inner
    return _TOKEN.sub(replace, source)


# A block that holds declarations: no parenthesis follows the word.
_CONTAINER = re.compile(r'\b(?:namespace|class|struct|union|enum)\b[^()]*$|\bextern\s*"\s*"\s*$')
_PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.M)
# `a() : b_{1}, c_{2} {`: after an initialiser the body is still to come.
_HEAD_GOES_ON = re.compile(r"\s*[,{]")


def functions(source):
    """Yields (first line, last line, head) of every function body that is not
    inside another; lambdas and local classes belong to the function around."""
    code = _PREPROCESSOR.sub(lambda match: _blank(match.group(0)), strip(source))
    inner = 0  # open braces of the function being walked through
    head_start = begin = 0
    for match in re.finditer(r"[{};]", code):
        at, char = match.start(), match.group(0)
        if inner:
            inner += {"{": 1, "}": -1, ";": 0}[char]
            if inner == 0 and not _HEAD_GOES_ON.match(code, at + 1):
                yield (_line_of(code, begin), _line_of(code, at),
                       " ".join(code[begin:code.index("{", begin)].split()))
                head_start = at + 1
            continue
        head = code[head_start:at]
        if char == "{" and "(" in head and not _CONTAINER.search(head):
            inner, begin = 1, head_start + len(head) - len(head.lstrip())
            continue
        head_start = at + 1


def _line_of(code, at):
    return code.count("\n", 0, at) + 1
