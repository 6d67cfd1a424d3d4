# amaranth: UnusedElaboratable=no
"""Sums of the sweep: credit for the layer before, and the gradient of a window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out

from bitlif.hdl import credit_pass, window_update
from bitlif.hdl.adjoint_pass import credit_total
from bitlif.hdl.fixed import shape_for, shape_of
from bitlif.hdl.gradient_pass import GradientPass
from bitlif.model import credit, sweep_gradient
from bitlif.model.config.network import NetworkConfig
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.interval import Interval

from .branches import follow
from .sweep_units import Rows, product_range
from .symbol import Integer, merged, settled
from .unit import Claim, PlainUnit, Run, array, bit, used


class CreditRow(Component):
    """The tree that adds up the products of a row, with a port for each operand.

    Parameters
    ----------
    config : NetworkConfig
    number : int
        Of the layer that hands credit back.

    Members
    -------
    weight_0, adjoint_0, … : In
    first, total : In, Out
        As in `CreditTree`.
    """

    def __init__(self, config: NetworkConfig, number: int) -> None:
        own = config.layers[number]
        self._count = gate_sizes(own.config).synapses
        self.tree = used(credit_pass, "CreditTree")(
            shape_of(own.config.synapse.weight), shape_of(own.sweep.current),
            credit_total(config, number - 1), self._count,
            config.derived_sweep(number - 1).constants.credit.feedback,
        )  # fmt: skip
        members: dict[str, Any] = {
            "first": In(1), "total": Out(credit_total(config, number - 1)),
        }  # fmt: skip
        for place in range(self._count):
            members[f"weight_{place}"] = In(shape_of(own.config.synapse.weight))
            members[f"adjoint_{place}"] = In(shape_of(own.sweep.current))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Connect the tree."""
        m = Module()
        m.submodules.tree = tree = self.tree
        m.d.comb += [tree.first.eq(self.first), self.total.eq(tree.total)]
        for place in range(self._count):
            m.d.comb += [
                tree.weights[place].eq(getattr(self, f"weight_{place}")),
                tree.adjoints[place].eq(getattr(self, f"adjoint_{place}")),
            ]
        return m


class CreditSumUnit(PlainUnit):
    """One more row of a sum of credit: `bitlif.model.credit.credit_sum` of its neurons, added.

    The sum before is any that the other neurons of the layer can reach.

    Parameters
    ----------
    config : NetworkConfig
    number : int
        Of the layer that hands credit back.
    """

    def __init__(self, config: NetworkConfig, number: int) -> None:
        self._config, self._number = config, number
        own = config.layers[number]
        self._feedback = config.derived_sweep(number - 1).constants.credit.feedback
        sizes = gate_sizes(own.config)
        self.name = f"layer_{number}_credit_sum"
        self._places = range(sizes.synapses)
        # A row that is wider than the layer has places without a neuron, whose currents are 0.
        present = min(sizes.synapses, own.config.layer.neurons)
        self._before = product_range(config, number - 1).times(own.config.layer.neurons - present)
        latency = CreditRow(config, number).tree.latency
        self.given: dict[str, Interval] = {}
        self.ports: dict[str, tuple[str, int]] = {"first": ("first row", latency - 1)}
        for place in self._places:
            weight, adjoint = f"weight {place}", f"adjoint current {place}"
            current = Interval.of(own.sweep.current)
            self.given[weight] = Interval.of(own.config.synapse.weight)
            self.given[adjoint] = current if place < present else Interval.point(0)
            self.ports |= {f"weight_{place}": (weight, 0), f"adjoint_{place}": (adjoint, 0)}
        self.given |= {"sum before": self._before, "first row": bit()}
        self.freed = {"tree.total": ("sum before", latency - 1)}
        self.cuts = tuple(
            Claim(f"product {place}", f"product_{place}", 1)
            for place in self._places if place < present
        )  # fmt: skip
        self.claims = (Claim("sum of credit", "total", latency),)

    def component(self) -> Any:
        """Return the tree as the pass has it."""
        return CreditRow(self._config, self._number)

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Add the products of a row."""

        def added(*places: int) -> Integer:
            weights = array(*(values[f"weight {place}"] for place in places))
            adjoints = array(*(values[f"adjoint current {place}"] for place in places))
            return run(credit.credit_sum)(weights, adjoints, self._feedback)

        def kept() -> Integer:
            return 0 if values["first row"] else values["sum before"]

        found = {f"product {place}": added(place) for place in self._places}
        return {**found, "sum of credit": follow(kept, settled, merged) + added(*self._places)}

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return the sum as text."""
        products = " + ".join(
            f"{values[f'weight {place}']} x {values[f'adjoint current {place}']}"
            for place in self._places
        )
        how = "signs of the weights" if self._feedback == credit.SIGN else "weights"
        return f"{values['sum before']} (0 if {values['first row']}) + {products}, with the {how}"


class GradientRow(Component):
    """The adders of the pass over the gradient, with a port for each operand.

    Parameters
    ----------
    config : NetworkConfig
    number : int

    Members
    -------
    sum_0, current_0, written_0, … : In, In, Out
    """

    def __init__(self, config: NetworkConfig, number: int) -> None:
        own = config.layers[number]
        self._count = gate_sizes(own.config).synapses
        self._inner = used(window_update, "GradientPass")(config, number, 1, 1)
        total = shape_for(config.derived_sweep(number).ranges["sweep gradient"])
        members: dict[str, Any] = {}
        for place in range(self._count):
            members[f"sum_{place}"] = In(total)
            members[f"current_{place}"] = In(shape_of(own.sweep.current))
            members[f"written_{place}"] = Out(total)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Connect the adders."""
        m = Module()
        m.submodules.inner = inner = self._inner
        for place in range(self._count):
            m.d.comb += [
                inner.sums[place].eq(getattr(self, f"sum_{place}")),
                inner.currents[place].eq(getattr(self, f"current_{place}")),
                getattr(self, f"written_{place}").eq(inner.written[place]),
            ]
        return m


class SweepGradientUnit(PlainUnit):
    """One more spike of an input: `bitlif.model.sweep_gradient.sum_window` of one step, added.

    The sum before is any that all steps of a window but one can reach.

    Parameters
    ----------
    config : NetworkConfig
    number : int
        Of the layer.
    """

    def __init__(self, config: NetworkConfig, number: int) -> None:
        self._config, self._number = config, number
        own = config.layers[number]
        self._places = range(gate_sizes(own.config).synapses)
        self._reach = config.derived_sweep(number).ranges["sweep gradient"]
        self.name = f"layer_{number}_sweep_gradient"
        current = Interval.of(own.sweep.current)
        before = current.times(own.config.window.steps - 1)
        self.given: dict[str, Interval] = {}
        self.ports: dict[str, tuple[str, int]] = {}
        for place in self._places:
            given = f"gradient before {place}", f"adjoint current {place}"
            self.given |= {given[0]: before, given[1]: current}
            self.ports |= {f"sum_{place}": (given[0], 0), f"current_{place}": (given[1], 0)}
        added = GradientPass.latency - 2  # the reads of row and register come before
        self.claims = tuple(
            Claim(f"gradient {place}", f"written_{place}", added) for place in self._places
        )

    def component(self) -> Any:
        """Return the adders as the pass has them."""
        return GradientRow(self._config, self._number)

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Add the adjoint currents of one step."""
        currents = array(*(values[f"adjoint current {place}"] for place in self._places))
        zeros = [0] * len(self._places)
        totals = Rows([array(*zeros)])
        sums = _Window(Rows([currents, array(*zeros)]), array(*zeros), totals)
        run(sweep_gradient.sum_window)(sums)
        return {
            f"gradient {place}": values[f"gradient before {place}"] + totals[0][place]
            for place in self._places
        }

    def ranges(
        self, values: Mapping[str, Integer], run: Run
    ) -> dict[str, tuple[Integer, Interval]]:
        """Return the sum of one place; all have the same range."""
        total = values["gradient before 0"] + values["adjoint current 0"]
        return {"sweep gradient": (total, self._reach)}

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return the sum as text."""
        place = signal.removeprefix("gradient ")
        return f"{values[f'gradient before {place}']} + {values[f'adjoint current {place}']}"


class _Window:
    """What `sum_window` reads of a sweep, with one input that spiked in one step."""

    counts, times, rows = (1,), ((0,),), 4

    def __init__(self, adjoints: Rows, narrow: Any, gradient: Rows) -> None:
        self.adjoints, self.sum, self.gradient = adjoints, narrow, gradient
