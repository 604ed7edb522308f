"""Reads KiCad's parenthesised text."""
import re

_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[()]|[^\s()]+')


def parse(text):
    stack = [[]]
    for token in _TOKEN.findall(text):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token[1:-1].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\") if token[0] == '"' else token)
    return stack[0][0]


def children(node, name):
    return [c for c in node if isinstance(c, list) and c and c[0] == name]


def value(node, name, default=""):
    found = children(node, name)
    return found[0][1] if found and len(found[0]) > 1 else default
