"""Small changes to `golden_steps`, made by rule at every place where the rule applies.

The rules: two statements exchanged; another operator, comparison or variable; one operand only; a
shift that rounds toward zero; 32 bits instead of 64; a constant off by one; a key of the manifest
instead of its neighbour; one end of a limit left out; a branch always or never taken; a statement
left out.

    python tests/support/mutants.py    # prints the changes that the conformance set does not notice
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from types import CodeType

from planted import STEPS, GoldenSet, first_difference

CLASSES = ("Registers", "Signature", "Again")

OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitXor, ast.BitXor: ast.BitOr,
    ast.Mod: ast.Sub,
}  # fmt: skip

COMPARISONS = {
    ast.GtE: ast.Gt, ast.Gt: ast.GtE, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}  # fmt: skip

NEIGHBOURS = (
    ("state", "trace", "lfsr"),
    ("current", "membrane", "trace_current", "trace", "synaptic_trace"),
    ("keep", "take"),
    ("bias", "shift"),
    ("low", "high"),
    ("noise_scale", "reciprocal", "rate"),
    ("noise_bias", "error_bias", "rate_bias"),
    ("noise_shift", "bin_shift", "error_shift"),
    ("rate_left", "rate_right"),
    ("I", "V"),
    ("c", "eps"),
    ("error_low", "weight_low"),
    ("error_high", "weight_high"),
    ("inputs", "neurons", "lanes", "slots"),
    ("words", "word_bits"),
    ("half_bins", "target_one", "threshold"),
    ("noise", "update"),
    ("noise_lfsr_start", "update_lfsr_start"),
    ("keep_noise", "teacher_reset"),
)
"""Keys of the manifest, and names of the state, that are easily exchanged."""

VARIABLES = (
    ("total", "current", "before", "kept", "noise", "draws"),
    ("spikes", "synaptic", "psp", "taken"),
    ("slot", "lane"),
    ("i", "j"),
    ("a", "b"),
    ("low", "high"),
    ("value", "kept"),
    ("exact", "error"),
    ("target", "spike", "reset"),
    ("words", "word_bits", "bits"),
    ("draw", "count", "register", "position"),
    ("learned", "end", "number"),
)
"""Variables that are easily exchanged."""


def mutants() -> Iterator[tuple[str, CodeType]]:
    """Yield each change, as the first line of the wrong statement, with the changed program."""
    tree = ast.parse(STEPS.read_text("utf-8"))
    bodies = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name in CLASSES]
    for body in bodies:
        for function in (one for one in body.body if isinstance(one, ast.FunctionDef)):
            for statement in _statements(function):
                yield from _changed(tree, statement)


def survivors(sets: Sequence[GoldenSet]) -> list[str]:
    """Return the changes that no set notices."""
    return [
        text
        for text, program in mutants()
        if not any(first_difference(program, given) for given in sets)
    ]


def _statements(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    for node in ast.walk(function):
        if isinstance(node, ast.stmt) and node is not function:
            yield node


def _changed(tree: ast.Module, statement: ast.stmt) -> Iterator[tuple[str, CodeType]]:
    """Change one statement in every way; the tree is as before afterwards."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return  # a docstring
    if isinstance(statement, ast.Expr | ast.AugAssign):
        nothing = ast.copy_location(ast.Pass(), statement)
        with _replaced(tree, statement, nothing):
            yield _made(tree, f"without {_line(statement)}")
    yield from _exchanged(tree, statement)
    for node, field, index in list(_places(statement)):
        old = getattr(node, field) if index is None else getattr(node, field)[index]
        for new in _alternatives(node, field, old):
            _set(node, field, index, new)
            ast.fix_missing_locations(tree)
            yield _made(tree, _line(statement))
        _set(node, field, index, old)


def _exchanged(tree: ast.Module, statement: ast.stmt) -> Iterator[tuple[str, CodeType]]:
    """Exchange a statement with the next one, unless one of them only notes a value."""
    for node in ast.walk(tree):
        block = getattr(node, "body", None)
        if not isinstance(block, list) or statement not in block[:-1]:
            continue
        index = block.index(statement)
        pair = block[index : index + 2]
        if any(ast.unparse(one).startswith("self.note") for one in pair):
            continue
        block[index : index + 2] = reversed(pair)
        yield _made(tree, f"exchanged: {_line(statement)}")
        block[index : index + 2] = pair


class _replaced:
    """Put one statement in the place of another for a while."""

    def __init__(self, tree: ast.AST, old: ast.stmt, new: ast.stmt) -> None:
        for node in ast.walk(tree):
            for field in ("body", "orelse"):
                block = getattr(node, field, None)
                if isinstance(block, list) and old in block:
                    self.block, self.index = block, block.index(old)
        self.old, self.new = old, new

    def __enter__(self) -> None:
        self.block[self.index] = self.new

    def __exit__(self, *error: object) -> None:
        self.block[self.index] = self.old


def _made(tree: ast.Module, text: str) -> tuple[str, CodeType]:
    return text, compile(copy.deepcopy(tree), "<mutant>", "exec")


def _line(statement: ast.stmt) -> str:
    """Return the first line of a statement's text."""
    return ast.unparse(statement).partition("\n")[0]


def _places(statement: ast.stmt) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Yield where the expressions of a statement are, without those of statements inside it."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        for field, value in ast.iter_fields(node):
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(child, ast.expr):
                    yield node, field, index
                if isinstance(child, ast.AST) and not isinstance(child, ast.stmt):
                    waiting.append(child)


def _set(node: ast.AST, field: str, index: int | None, value: ast.AST) -> None:
    if index is None:
        setattr(node, field, value)
    else:
        getattr(node, field)[index] = value


def _alternatives(parent: ast.AST, field: str, old: ast.expr) -> Iterator[ast.expr]:
    match old:
        case ast.BinOp(left, operator, right):
            if type(operator) in OPERATORS:
                yield ast.BinOp(left, OPERATORS[type(operator)](), right)
            yield left
            yield right
            if isinstance(operator, ast.RShift):
                yield _call("TOWARD_ZERO", left, right)
            if isinstance(operator, ast.Add | ast.Sub | ast.Mult | ast.LShift):
                yield _call("NARROW", old)
        case ast.UnaryOp(_, operand):
            yield operand
        case ast.Compare(left, [operator], right) if type(operator) in COMPARISONS:
            yield ast.Compare(left, [COMPARISONS[type(operator)]()], right)
        case ast.BoolOp(operator, values):
            other = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield ast.BoolOp(other, values)
        case ast.Constant(bool()):
            return
        case ast.Constant(int() as value):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Constant(str() as value):
            for group in NEIGHBOURS:
                if value in group:
                    yield from (ast.Constant(other) for other in group if other != value)
        case ast.Name(name, ast.Load()):
            for group in VARIABLES:
                if name in group:
                    yield from (ast.Name(other, ast.Load()) for other in group if other != name)
        case ast.IfExp(_, body, orelse):
            yield body
            yield orelse
        case ast.Call(ast.Attribute(ast.Name("np"), "clip"), [value, low, high]):
            yield value
            yield _call("np.minimum", value, high)
            yield _call("np.maximum", value, low)
    if isinstance(parent, ast.If) and field == "test":
        yield ast.Constant(True)
        yield ast.Constant(False)


def _call(name: str, *arguments: ast.expr) -> ast.expr:
    function = ast.parse(name, mode="eval").body
    return ast.Call(function, list(arguments), [])


def main() -> None:
    from conformance_table import stored_sets

    for text in survivors(stored_sets()):
        print(text)


if __name__ == "__main__":
    main()
