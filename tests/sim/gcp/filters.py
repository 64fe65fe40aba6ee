"""Filters and pages of lists. Filters: Compute Engine's `field eq regex` and the form of AIP-160: comparisons, `:`, AND, OR, NOT, parentheses."""
import base64
import binascii
import re

from tests.sim.gcp.errors import GoogleError

TOKEN = re.compile(r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<mark>!=|<=|>=|[()=<>:])|(?P<word>[^\s()=<>:!\"']+))")


def page_token(offset):
    return base64.urlsafe_b64encode(f"from {offset}".encode()).decode()


def page_start(token):
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token).decode().removeprefix("from "))
    except (binascii.Error, ValueError, UnicodeDecodeError) as error:
        raise GoogleError(400, f"Invalid value for field 'pageToken': '{token}'.", "invalid") from error


def filtered(items, text):
    if not text or not text.strip():
        return items
    match = re.fullmatch(r"\(?\s*([\w.]+)\s+(eq|ne)\s+(.*?)\s*\)?", text)
    if match and " eq " not in match[3] and " ne " not in match[3]:
        field, operator, value = match.groups()
        value = value.strip("'\"")
        try:
            pattern = re.compile(value)
        except re.error as error:
            raise bad(text) from error
        return [i for i in items if bool(pattern.fullmatch(str(member(i, field) or ""))) == (operator == "eq")]
    parser = Parser(text)
    test = parser.either()
    if parser.at < len(parser.tokens):
        raise bad(text)
    return [i for i in items if test(i)]


def bad(text):
    return GoogleError(400, f"Invalid value for field 'filter': '{text}'. Invalid list filter expression.", "invalid")


def member(item, path):
    for part in path.split("."):
        part = part.strip('"')
        item = item.get(part) if isinstance(item, dict) else None
    return item


class Parser:
    def __init__(self, text):
        self.text, self.tokens, self.at, end = text, [], 0, 0
        while end < len(text.rstrip()):
            match = TOKEN.match(text, end)
            if not match:
                raise bad(text)
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            end = match.end()

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else (None, None)

    def take(self):
        token = self.peek()
        self.at += 1
        return token

    def either(self):
        tests = [self.both()]
        while self.peek() == ("word", "OR"):
            self.take()
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda item: any(t(item) for t in tests)

    def both(self):
        tests = [self.one()]
        while self.peek()[0] is not None and self.peek() not in (("word", "OR"), ("mark", ")")):
            if self.peek() == ("word", "AND"):
                self.take()
            tests.append(self.one())
        return tests[0] if len(tests) == 1 else lambda item: all(t(item) for t in tests)

    def one(self):
        kind, word = self.take()
        if (kind, word) == ("word", "NOT"):
            inner = self.one()
            return lambda item: not inner(item)
        if (kind, word) == ("mark", "("):
            inner = self.either()
            if self.take() != ("mark", ")"):
                raise bad(self.text)
            return inner
        if kind != "word":
            raise bad(self.text)
        negative = word.startswith("-")
        test = self.comparison(word.lstrip("-"))
        return (lambda item: not test(item)) if negative else test

    def comparison(self, field):
        kind, operator = self.take()
        value_kind, value = self.take()
        if kind != "mark" or value_kind not in ("word", "text"):
            raise bad(self.text)
        if value_kind == "text":
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        return lambda item: compare(member(item, field), operator, value)


def compare(actual, operator, value):
    if operator == ":":
        return actual not in (None, "", [], {}) if value == "*" else \
            any(value.lower() in str(a).lower() for a in (actual if isinstance(actual, list) else [actual if actual is not None else ""]))
    if isinstance(actual, bool):
        actual = str(actual).lower()
    if isinstance(actual, (int, float)) or isinstance(actual, str) and actual.isdigit() and value.isdigit():
        try:
            actual, value = float(actual), float(value)
        except ValueError:
            return operator == "!="
    elif actual is None:
        return operator == "!="
    else:
        actual = str(actual)
        if operator in ("=", "!=") and "*" in value:
            same = re.fullmatch(".*".join(re.escape(p) for p in value.split("*")), actual) is not None
            return same == (operator == "=")
    return {"=": actual == value, "!=": actual != value, "<": actual < value, ">": actual > value, "<=": actual <= value, ">=": actual >= value}[operator]
