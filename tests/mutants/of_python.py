"""The mistakes that can be put into a Python file, found in its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from mutants.site import Site

COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.FloorDiv: ("//", "*"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
}


class Sites(ast.NodeVisitor):
    """The sites of one file. Annotations, docstrings, and what only a type checker reads have none."""

    def __init__(self, path: str, source: bytes) -> None:
        self.path = path
        self.source = source
        self.found: list[Site] = []
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def _at(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column

    def _begin(self, node: ast.expr | ast.stmt) -> int:
        return self._at(node.lineno, node.col_offset)

    def _end(self, node: ast.expr | ast.stmt) -> int:
        return self._at(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def _text(self, node: ast.expr | ast.stmt) -> str:
        return self.source[self._begin(node) : self._end(node)].decode()

    def _add(self, line: int, begin: int, end: int, text: str, what: str | None = None) -> None:
        was = " ".join(self.source[begin:end].decode().split())
        self.found.append(Site(self.path, line, begin, end, text, what or f"`{was[:70]}` became `{text[:70]}`"))

    def _replace(self, node: ast.expr | ast.stmt, text: str) -> None:
        self._add(node.lineno, self._begin(node), self._end(node), text)

    def _between(self, left: ast.expr, right: ast.expr, was: str, text: str) -> None:
        """An operator stands between its operands; brackets and comments may, too."""
        begin = self._end(left)
        at = self.source.find(was.encode(), begin, self._begin(right))
        if at >= 0:
            line = self.source.count(b"\n", 0, at) + 1
            self._add(
                line, at, at + len(was), text, f"`{self._text(left)[:40]} {was} {self._text(right)[:40]}`: {text}"
            )

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in [*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]:
            self.visit(part)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._condition(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def _condition(self, test: ast.expr) -> None:
        text = self._text(test)
        self._add(
            test.lineno, self._begin(test), self._end(test), f"not ({text})", f"condition `{text[:60]}` turned round"
        )

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        is_and = isinstance(node.op, ast.And)
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between(left, right, "and" if is_and else "or", "or" if is_and else "and")
        for value in node.values:
            self._replace(value, "True" if is_and else "False")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._replace(node, f"({self._text(node.operand)})")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            was, text = COMPARISONS[type(operator)]
            self._between(left, right, was, text)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in ARITHMETIC:
            self._between(node.left, node.right, *ARITHMETIC[type(node.op)])
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value: object = node.value
        if isinstance(value, bool):
            self._replace(node, repr(not value))
        elif isinstance(value, int):
            self._replace(node, repr(value + 1))
        elif isinstance(value, str | bytes) and value and not self._is_prose(node, value):
            self._replace(node, repr(value[:-1]))

    def _is_prose(self, node: ast.Constant, value: str | bytes) -> bool:
        """What people read; a part of an f-string is no constant by itself."""
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        return " " in text.strip() or not self._text(node).endswith(("'", '"'))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return
        if isinstance(node.value, ast.Call | ast.Await):
            self._replace(node, "pass")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        # Without the assignment of a name, the next line would raise NameError: too coarse to be a mistake.
        if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self._replace(node, "pass")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._replace(node, "pass")
        self.generic_visit(node)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._replace(node, "pass")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            if not (isinstance(node.value, ast.Constant) and node.value.value is None):
                self._replace(node, "return None")
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._replace(node, "pass")

    def visit_Break(self, node: ast.Break) -> None:
        self._replace(node, "continue")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._replace(node, "break")

    def visit_Call(self, node: ast.Call) -> None:
        for keyword in node.keywords:
            if keyword.arg is not None:
                begin = self._at(keyword.lineno, keyword.col_offset)
                end = self._at(keyword.end_lineno or 0, keyword.end_col_offset or 0)
                while self.source[end : end + 1] in (b",", b" "):
                    end += 1
                self._add(keyword.lineno, begin, end, "")
        self.generic_visit(node)


def sites(root: Path, path: Path) -> Iterator[Site]:
    """The sites of one file that still compile."""
    source = path.read_bytes()
    finder = Sites(str(path.relative_to(root)), source)
    finder.visit(ast.parse(source))
    for site in finder.found:
        try:
            compile(site.apply(source), str(path), "exec")
        except SyntaxError:
            continue
        yield site
