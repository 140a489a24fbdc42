"""Parses "Name <address>" (RFC 5322 3.4) as people and attackers write it, in linear time."""

import re
from collections.abc import Iterator
from email.utils import quote

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_PARENTHESES = re.compile(r'["()\\]')
_MARKS = re.compile(r'["(@]')
_LITERAL = re.compile(r"[ \t\r\n]*+(\[[^\[\]\\]*+\])")
_STRUCTURE = re.compile(r"[<>@,;]")
_ROUTE = re.compile(r"[ \t\r\n]*+@[^:<>]*+:")
_NO_START = re.compile(r'[()<>,:;"\[\] \t\r\n]*+')
_SPECIALS = re.compile(r'[()<>@,:;"\[\]]')
_ENDS = re.compile(r'[()<>,:;"\[\]]')
_PIECE = re.compile(r"(\0++)|([ \t\r\n]++)|([@.])|[^\0 \t\r\n@.]++")
_WORD = re.compile(r"(\0++)|[^\0 \t\r\n]++")
_ESCAPED = re.compile(r"\\(.)|[()]", re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)


def parse_mailbox(text: str) -> tuple[str, str]:
    """Return (name, address) of the first mailbox, without decoding it; ('', '') if there is none.

    Text in a comment or in quotes is never taken for the address, even if the comment or the quotes follow an address
    and are never closed. Parsers disagree there: "alice@example.org(<bob@example.org>" is from alice (CVE-2023-27043).
    """
    return _Reader(text).mailbox()


class _Reader:
    """A text and the opaque stretches in it: quoted strings, comments and domain literals."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._opaque: list[tuple[int, int]] = []
        self._find_opaque(_matching_parentheses(text))
        self._index = dict(self._opaque)
        out, pos = [], 0
        for start, end in self._opaque:
            out += [text[pos:start].replace("\0", "\1"), "\0" * (end - start)]
            pos = end
        # Each opaque character is replaced by a NUL, so positions in it are positions in the text.
        self._plain = "".join([*out, text[pos:].replace("\0", "\1")])

    def _find_opaque(self, closing: dict[int, int]) -> None:
        text, pos, has_open_quote, has_address = self._text, 0, False, False
        while mark := _MARKS.search(text, pos):
            start, pos, end = mark.start(), mark.end(), -1
            if mark[0] == "@":
                has_address = True
                if literal := _LITERAL.match(text, pos):
                    pos = literal.end()
                    self._opaque.append((literal.start(1), pos))
                continue
            if mark[0] == "(":
                end = closing.get(start, -1)
            elif not has_open_quote:
                quoted = _QUOTED.match(text, start)
                end = quoted.end() if quoted else -1
                has_open_quote = end < 0  # then no later quote is closed either
            if end < 0 and not has_address:
                continue  # somebody forgot to close it: an ordinary character
            pos = len(text) if end < 0 else end
            self._opaque.append((start, pos))

    def mailbox(self) -> tuple[str, str]:
        opened, closed, end, has_address = -1, -1, len(self._text), False
        for mark in _STRUCTURE.finditer(self._plain):
            is_inside = opened >= 0 > closed
            match mark[0]:
                case "<" if closed < 0:
                    opened = mark.start()
                case ">" if is_inside:
                    closed = mark.start()
                case "@" if not is_inside:
                    has_address = True
                case "," | ";" if not is_inside and (has_address or closed >= 0):
                    end = mark.start()
                    break
        stop = end if closed < 0 else closed
        comments = " ".join(self._comments(stop))
        if opened < 0:
            address = self._bare(end)
            return (comments, address) if address else ("", "")
        name = " ".join(self._words(self._group_end(opened), opened)) + (f" ({comments})" if comments else "")
        route = _ROUTE.match(self._plain, opened + 1, stop)
        return name, self._address(route.end() if route else opened + 1, stop)

    def _group_end(self, stop: int) -> int:
        """Return where the group name before the mailbox ends; 0 if it is only a name with a colon in it."""
        begin = self._plain.rfind(":", 0, stop) + 1
        return 0 if _SPECIALS.search(self._plain, begin, stop) else begin

    def _bare(self, end: int) -> str:
        """Return the address of a mailbox that has no angle brackets, without a group name before it."""
        at = self._plain.find("@", 0, end)
        begin = self._plain.rfind(":", 0, end if at < 0 else at) + 1
        if at >= 0:
            return self._address(begin, end)
        begin, stop = self._limits(begin, end)
        return next(self._words(begin, stop), "")

    def _limits(self, begin: int, stop: int) -> tuple[int, int]:
        start = _NO_START.match(self._plain, begin, stop)
        begin = start.end() if start else begin
        end = _ENDS.search(self._plain, begin, stop)
        return begin, end.start() if end else stop

    def _address(self, begin: int, stop: int) -> str:
        """Return the address without comments and needless blanks; "" if it has two domains, or an empty one."""
        local: list[str] = []
        domain: list[str] | None = None
        for piece in _PIECE.finditer(self._plain, *self._limits(begin, stop)):
            opaque, blank, mark = piece.groups()
            target = local if domain is None else domain
            if mark == "@" and domain is not None:
                return ""
            if mark and target and target[-1].isspace():
                target.pop()
            if mark == "@":
                domain = []
            elif opaque:
                meant = list(self._inside(piece))
                if domain is not None and any(text[0] == '"' for text in meant):
                    break
                target += [f'"{quote(text[1:])}"' if text[0] == '"' else text for text in meant]
            elif not blank:
                target.append(self._text[piece.start() : piece.end()])
            elif domain is None and local and local[-1] != "." and not local[-1].isspace():
                local.append(piece[0])
        if domain is None:
            return "".join(local).rstrip(" \t\r\n")
        return f"{''.join(local)}@{''.join(domain)}" if domain else ""

    def _words(self, begin: int, stop: int) -> Iterator[str]:
        """Yield the words of a name: quoted strings without their quotes, and no comments."""
        for word in _WORD.finditer(self._plain, begin, stop):
            if word[1]:
                yield from (text.removeprefix('"') for text in self._inside(word))
            elif text := self._text[word.start() : word.end()].replace('"', ""):
                yield text

    def _inside(self, run: re.Match[str]) -> Iterator[str]:
        """Yield the content of adjacent opaque stretches: a quote with the quoted text, or a domain literal."""
        pos = run.start()
        while pos < run.end():
            end = self._index[pos]
            text = self._text[pos:end]
            if text[0] == '"':
                yield _PAIR.sub(r"\1", text if len(text) == 1 or not _QUOTED.fullmatch(text) else text[:-1])
            elif text[0] == "[":
                yield text
            pos = end

    def _comments(self, stop: int) -> Iterator[str]:
        for start, end in self._opaque:
            if start < stop and self._text[start] == "(":
                yield _ESCAPED.sub(r"\1", self._text[start + 1 : end])


def _matching_parentheses(text: str) -> dict[int, int]:
    """Map the start of each closed comment, nested ones too, to the position after its end."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    pos, has_open_quote = 0, False
    while mark := _PARENTHESES.search(text, pos):
        pos = mark.end()
        match mark[0]:
            case "(":
                opened.append(mark.start())
            case ")" if opened:
                closing[opened.pop()] = pos
            case "\\" if opened:
                pos += 1
            case '"' if not opened and not has_open_quote:
                quoted = _QUOTED.match(text, mark.start())
                pos = quoted.end() if quoted else pos
                has_open_quote = quoted is None
    return closing
