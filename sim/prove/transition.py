"""Transition systems in BTOR2, as Yosys writes them, unrolled clock cycle by clock cycle."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bitwuzla import Kind

from .symbol import Integer
from .terms import as_bit, as_condition, make, memory, variable
from .words import Word, extended, inverted, joined, product, sliced, summed

BITWISE = {
    "redand": Kind.BV_REDAND, "redor": Kind.BV_REDOR, "redxor": Kind.BV_REDXOR,
    "and": Kind.BV_AND, "or": Kind.BV_OR, "xor": Kind.BV_XOR, "xnor": Kind.BV_XNOR,
    "sll": Kind.BV_SHL, "srl": Kind.BV_SHR, "sra": Kind.BV_ASHR, "urem": Kind.BV_UREM,
}  # fmt: skip
COMPARISONS = {
    "eq": Kind.EQUAL, "neq": Kind.DISTINCT,
    "ult": Kind.BV_ULT, "ulte": Kind.BV_ULE, "ugt": Kind.BV_UGT, "ugte": Kind.BV_UGE,
    "slt": Kind.BV_SLT, "slte": Kind.BV_SLE, "sgt": Kind.BV_SGT, "sgte": Kind.BV_SGE,
}  # fmt: skip
ARITHMETIC: dict[str, Callable[..., Word]] = {
    "not": inverted,
    "neg": lambda word: summed(Word.of_integer(0, word.width), word, -1),
    "add": summed,
    "sub": lambda one, two: summed(one, two, -1),
    "mul": product,
    "concat": joined,
}
CONSTANTS: dict[str, Callable[..., int]] = {
    "eq": lambda a, b: int(a == b),
    "neq": lambda a, b: int(a != b),
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "redor": lambda a: int(a != 0),
}
"""Operations that select by a constant, of unsigned integers."""

NUMBERED = re.compile(r"\$\d+$")

RADIX = {"const": 2, "constd": 10, "consth": 16}
FIXED = {"one": 1, "zero": 0, "ones": -1}
OPERANDS = {
    **dict.fromkeys((*RADIX, *FIXED, "input", "state"), 0),
    **dict.fromkeys(("slice", "uext", "sext", "not", "neg", "redand", "redor", "redxor"), 1),
    **dict.fromkeys(("ite", "write"), 3),
}
"""Numbers of operands; those that are missing have two."""

Sort = tuple[int, ...]
"""The width of a bit vector, or address and data width of an array."""


@dataclass
class Machine:
    """A transition system.

    Attributes
    ----------
    inputs, outputs, states : dict of str to int
        Numbers of their nodes by name. The clock is no input.
    names : dict of str to int
        Nodes of the signals by name.
    """

    sorts: dict[int, Sort] = field(default_factory=dict)
    nodes: dict[int, list[str]] = field(default_factory=dict)
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    initial: dict[int, int] = field(default_factory=dict)
    following: dict[int, int] = field(default_factory=dict)

    def width(self, node: int) -> int:
        """Return the width of a node that is a bit vector."""
        return self.sort(node)[0]

    def node(self, name: str) -> int:
        """Return the node of a signal, also of one in a module within the unit.

        Raises
        ------
        ValueError
            If no signal, or more than one, has this name.
        """
        found = self._nodes(name)
        if len(found) != 1:
            raise ValueError(f"the name {name} must be that of one signal, not of {len(found)}")
        return found.pop()

    def has(self, name: str) -> bool:
        """Return whether one register has this name."""
        found = self._nodes(name)
        return len(found) == 1 and found <= set(self.states.values())

    def _nodes(self, name: str) -> set[int]:
        if name in self.names:
            return {self.names[name]}
        found = {node for own, node in self.names.items() if own.endswith(f".{name}")}
        # Amaranth appends a number to a name that is also that of a port.
        return found or {
            node
            for own, node in self.names.items()
            if name in (NUMBERED.sub("", own), NUMBERED.sub("$", own))
        }

    def sort(self, node: int) -> Sort:
        """Return the sort of a node."""
        return self.sorts[int(self.nodes[node][1])]


def read_btor(text: str) -> Machine:
    """Read a transition system.

    Raises
    ------
    ValueError
        If a line has an operation that is not known.
    """
    machine = Machine()
    for line in text.splitlines():
        words = line.split(";")[0].split()
        if not words:
            continue
        number, kind = int(words[0]), words[1]
        if kind == "sort":
            sizes = [int(word) for word in words[3:]]
            machine.sorts[number] = (
                (sizes[0],)
                if words[2] == "bitvec"
                else (machine.sorts[sizes[0]][0], machine.sorts[sizes[1]][0])
            )
        elif kind == "init":
            machine.initial[int(words[3])] = int(words[4])
        elif kind == "next":
            machine.following[int(words[3])] = int(words[4])
        elif kind == "output":
            machine.outputs[words[3]] = machine.names[words[3]] = int(words[2])
        else:
            # Yosys writes an empty signal as node -1, which is no node: an extension of it is zero.
            empty = kind in ("uext", "sext") and words[3] == "-1"
            machine.nodes[number] = ["zero", words[2]] if empty else words[1:]
            if kind == "input" and words[-1] != "clk" and machine.width(number):
                machine.inputs[words[3] if len(words) > 3 else f"undefined_{number}"] = number
            if kind == "state":
                machine.states[words[3] if len(words) > 3 else f"state_{number}"] = number
            if kind == "state" and len(words) > 3:
                machine.names[words[3]] = number
            if kind == "uext" and len(words) > 5 and not empty:
                machine.names[words[5]] = int(words[3])  # another name of a signal
    return machine


class Unrolled:
    """A transition system, clock cycle by clock cycle, from a state of any value.

    Parameters
    ----------
    machine : Machine
    name : str
        Prefix of the names of its variables.
    """

    def __init__(self, machine: Machine, name: str) -> None:
        self.machine = machine
        self._name = name
        self.cycle = 0
        self._state: dict[int, Any] = {
            node: self._fresh(machine.sort(node), f"{name}.{own}")
            for own, node in machine.states.items()
        }
        # What never changes is a constant: the table of a memory that is only read.
        values = Values(machine, self._state, WordAlgebra())
        for node, value in machine.initial.items():
            if machine.following.get(node, node) == node:
                self._state[node] = values.value(value)

    def _fresh(self, sort: Sort, name: str) -> Any:
        return (
            Word.of_term(variable(sort[0], name))
            if len(sort) == 1
            else memory(sort[0], sort[1], name)
        )

    def get(self, state: str) -> Any:
        """Return the present value of a register, a `Word`, or of a memory, an array term.

        Raises
        ------
        ValueError
            If no state, or more than one, has this name.
        """
        return self._state[self.machine.node(state)]

    def put(self, state: str, value: Integer) -> None:
        """Replace the present value of a register by one that it is proved to have."""
        node = self.machine.node(state)
        self._state[node] = Word.of_integer(value, self.machine.width(node))

    def reset(self) -> None:
        """Give every register the value that it has after power-up and after a reset."""
        values = Values(self.machine, dict(self._state), WordAlgebra())
        self._state |= {node: values.value(own) for node, own in self.machine.initial.items()}

    def clock(self, inputs: Mapping[str, Integer | Word]) -> dict[str, Word]:
        """Return the outputs of a clock cycle, and go to the next one.

        Inputs that are not given have any value, except the reset, which is 0. A `Word` is given as
        an unsigned number, which must fit.

        Raises
        ------
        ValueError
            If no input has one of the names.
        """
        machine, given = self.machine, dict(self._state)
        unknown = set(inputs) - set(machine.inputs)
        if unknown:
            raise ValueError(f"no input is named {', '.join(sorted(unknown))}")
        for name, node in machine.inputs.items():
            width = machine.width(node)
            own = inputs.get(name)
            if isinstance(own, Word):
                given[node] = own if own.width == width else extended(own, width, signed=False)
            elif own is not None:
                given[node] = Word.of_integer(own, width)
            elif name == "rst":
                given[node] = Word.of_integer(0, width)
            else:
                free = variable(width, f"{self._name}.{name} in cycle {self.cycle}")
                given[node] = Word.of_term(free)
        values = Values(machine, given, WordAlgebra())
        outputs = {name: values.value(node) for name, node in machine.outputs.items()}
        self._state = {
            node: values.value(machine.following[node]) if node in machine.following else old
            for node, old in self._state.items()
        }
        self.cycle += 1
        return outputs


class Values:
    """The values of all nodes of a machine in a clock cycle.

    Parameters
    ----------
    machine : Machine
    given : dict of int to Any
        The values of inputs and states by their nodes.
    algebra : object
        Has `constant`, `inverted` and `made`, which compute with such values; see `WordAlgebra`.
    """

    def __init__(self, machine: Machine, given: dict[int, Any], algebra: Any) -> None:
        self._machine = machine
        self._known = dict(given)
        self._algebra = algebra

    def value(self, node: int) -> Any:
        """Return the value of a node; a negative number stands for its complement."""
        pending = [abs(node)]
        while pending:
            missing = [own for own in self._operands(pending[-1]) if abs(own) not in self._known]
            if pending[-1] in self._known:
                pending.pop()
            elif missing:
                pending += map(abs, missing)
            else:
                self._known[pending[-1]] = self._made(pending[-1])
        return self._read(node)

    def _read(self, node: int) -> Any:
        value = self._known[abs(node)]
        return self._algebra.inverted(value) if node < 0 else value

    def _operands(self, node: int) -> list[int]:
        words = self._machine.nodes[node]
        most = OPERANDS.get(words[0], 2)
        return [int(word) for word in words[2 : 2 + most]]

    def _made(self, node: int) -> Any:
        words, sort = self._machine.nodes[node], self._machine.sort(node)
        if words[0] in RADIX:
            return self._algebra.constant(int(words[2], RADIX[words[0]]), sort[0])
        if words[0] in FIXED:
            return self._algebra.constant(FIXED[words[0]], sort[0])
        operands = [self._read(own) for own in self._operands(node)]
        indices = [int(word) for word in words[2 + len(operands) :] if word.isdigit()]
        return self._algebra.made(words[0], sort[0], operands, indices)


class WordAlgebra:
    """Computes with words; memories are arrays of the solver."""

    def constant(self, value: int, width: int) -> Word:
        """Return a constant."""
        return Word.of_integer(value, width)

    def inverted(self, word: Word) -> Word:
        """Return the complement of every bit."""
        return inverted(word)

    def made(self, kind: str, width: int, operands: list[Any], indices: list[int]) -> Any:
        """Return the result of an operation.

        Raises
        ------
        ValueError
            If the operation is not known.
        """
        if kind in ("uext", "sext"):
            return extended(operands[0], width, signed=kind == "sext")
        if kind == "slice":
            return sliced(operands[0], indices[0], indices[1])
        if kind in ARITHMETIC:
            return ARITHMETIC[kind](*operands)
        if kind == "ite":
            return self._chosen(*operands)
        terms = [own.term if isinstance(own, Word) else own for own in operands]
        if kind == "read":
            return Word.of_term(make(Kind.ARRAY_SELECT, *terms))
        if kind == "write":
            return make(Kind.ARRAY_STORE, *terms)
        if kind in CONSTANTS and all(isinstance(own, Word) for own in operands):
            known = [own.known for own in operands]
            if None not in known:
                return Word.of_integer(CONSTANTS[kind](*known), width)
        if kind in COMPARISONS:
            return Word.of_term(as_bit(make(COMPARISONS[kind], *terms)))
        if kind not in BITWISE:
            raise ValueError(f"the operation {kind} of BTOR2 is not known")
        return Word.of_term(make(BITWISE[kind], *terms))

    def _chosen(self, condition: Word, one: Any, two: Any) -> Any:
        if condition.known is not None:
            return one if condition.known else two
        if not isinstance(one, Word):
            return make(Kind.ITE, as_condition(condition.term), one, two)
        if one.value is not None and one.value == two.value:
            return one
        return Word.of_term(make(Kind.ITE, as_condition(condition.term), one.term, two.term))


def contents(machine: Machine, name: str) -> dict[int, int]:
    """Return the values that a memory has after power-up, by address.

    Raises
    ------
    ValueError
        If it has no initial contents.
    """
    node = machine.initial.get(machine.node(name))
    if node is None:
        raise ValueError(f"{name} has no initial contents")
    values = Values(machine, {}, WordAlgebra())
    found: dict[int, int] = {}
    while machine.nodes[node][0] == "write":
        before, address, value = (int(word) for word in machine.nodes[node][2:5])
        place, held = values.value(address).known, values.value(value).known
        found.setdefault(place, held)
        node = before
    return found
