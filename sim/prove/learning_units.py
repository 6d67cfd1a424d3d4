"""The units of learning: traces, the gradient, and the update of weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bitlif.hdl import learning, update_pass
from bitlif.hdl.gradient import GradientPipe
from bitlif.hdl.loadable import rate_shifts, swept_update
from bitlif.hdl.trace import TracePipe
from bitlif.hdl.update import UpdatePipe
from bitlif.model import counters, gradient, trace, update
from bitlif.model.config.config import Config
from bitlif.model.constants import PhaseConstants
from bitlif.model.derive import derive
from bitlif.model.derive_sweep import DerivedSweep
from bitlif.model.interval import Interval

from .branches import follow
from .forward_units import COUNTERS, leaky_sum_exact, leaky_text
from .symbol import Integer, merged, settled
from .unit import ALWAYS, Claim, PlainUnit, Run, array, bit, unsigned, used


class TraceUnit(PlainUnit):
    """One step of the traces of an input: `bitlif.model.trace.trace_steps` of one step."""

    name = "trace"

    def __init__(self, config: Config) -> None:
        self._config = config
        self.given = {
            "spike": bit(),
            "synaptic trace before": Interval.of(config.trace.current),
            "PSP trace before": Interval.of(config.trace.format),
        }
        self.ports = {
            "spiked": ("spike", 0),
            "current": ("synaptic trace before", 0),
            "trace": ("PSP trace before", 0),
        }
        current, last = TracePipe.current_latency, TracePipe.latency
        signed = config.trace.current.signed, config.trace.format.signed
        # Without a synaptic filter, the synaptic trace is the spike, and no register has its width.
        filtered = not config.synapse.decay.none
        self.cuts = (Claim("synaptic trace", "current_value", current, signed[0]),) * filtered
        self.claims = (
            Claim("synaptic trace", "current_next", last, signed[0]),
            Claim("PSP trace", "trace_next", last, signed[1]),
            Claim("saturations of the synaptic trace", "saturated", last, bits=(0,)),
            Claim("saturations of the PSP trace", "saturated", last, bits=(1,)),
        )

    def component(self) -> Any:
        """Return the pipeline as the learning engine has it."""
        return used(learning, "TracePipe")(self._config)

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Run one step of one input, with and without an event."""

        def step() -> tuple[Integer, ...]:
            events = 1 if values["spike"] else 0
            state = array(values["synaptic trace before"]), array(values["PSP trace before"])
            counts, traces = array(*[0] * COUNTERS), array(0).reshape(1, 1)
            run(trace.trace_steps)(
                [0, events], [0], 0, 0, 1, state, array(0), traces, counts,
                derive(self._config).constants,
            )  # fmt: skip
            return (
                state[0][0], traces[0, 0], counts[counters.SYNAPTIC_TRACE_SATURATIONS],
                counts[counters.TRACE_SATURATIONS],
            )  # fmt: skip

        names = (
            "synaptic trace", "PSP trace", "saturations of the synaptic trace",
            "saturations of the PSP trace",
        )  # fmt: skip
        return dict(zip(names, follow(step, settled, merged), strict=True))

    def ranges(
        self, values: Mapping[str, Integer], run: Run
    ) -> dict[str, tuple[Integer, Interval]]:
        """Return both leaky sums before and after their rounding."""
        derived = derive(self._config)
        c = derived.constants
        current = self.model(values, run)["synaptic trace"]
        sums = {
            "synaptic trace sum": leaky_sum_exact(
                c.trace_current, values["synaptic trace before"], values["spike"]
            ),
            "PSP trace sum": leaky_sum_exact(c.trace, values["PSP trace before"], current),
        }
        sums["synaptic trace"] = sums["synaptic trace sum"] >> c.trace_current.shift
        sums["PSP trace"] = sums["PSP trace sum"] >> c.trace.shift
        return {name: (value, derived.ranges[name]) for name, value in sums.items()}

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return the operation by which the model computes a value."""
        c = derive(self._config).constants
        if "synaptic" in signal:
            return leaky_text(c.trace_current, values["synaptic trace before"], values["spike"])
        return leaky_text(c.trace, values["PSP trace before"], found["synaptic trace"])


class GradientUnit(PlainUnit):
    """One more step of a gradient: `bitlif.model.gradient.sparse_gradient` of one step, added.

    The sum before is any that all steps of a window but one can reach.
    """

    name = "gradient"

    def __init__(self, config: Config) -> None:
        self._config = config
        error, psp = Interval.of(config.error.format), Interval.of(config.trace.format)
        self.given = {
            "error": error,
            "PSP trace": psp,
            "gradient before": (error * psp).times(config.window.steps - 1),
        }
        self.ports = {
            "error": ("error", 0),
            "trace": ("PSP trace", 0),
            "gradient": ("gradient before", GradientPipe.gradient_delay),
        }
        self.claims = (Claim("gradient", "gradient_next", GradientPipe.latency),)

    def component(self) -> Any:
        """Return the multiplier and adder as the learning engine has them."""
        return used(learning, "GradientPipe")(self._config)

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Add the gradient of one step, one neuron and one input."""

        def step() -> Integer:
            errors = array(values["error"]).reshape(1, 1)
            traces, total = array(values["PSP trace"]).reshape(1, 1), array(0).reshape(1, 1)
            run(gradient.sparse_gradient)(errors, traces, total, array(0).reshape(1, 1), array(0))
            return total[0, 0]

        return {"gradient": values["gradient before"] + follow(step, settled, merged)}

    def ranges(
        self, values: Mapping[str, Integer], run: Run
    ) -> dict[str, tuple[Integer, Interval]]:
        """Return the sum."""
        total = values["gradient before"] + values["error"] * values["PSP trace"]
        return {"gradient": (total, derive(self._config).ranges["gradient"])}

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return the sum as text."""
        return f"{values['gradient before']} + {values['error']} x {values['PSP trace']}"


class UpdateUnit(PlainUnit):
    """The update of a weight: `bitlif.model.update.update_row` of one weight, for any rate.

    Parameters
    ----------
    config : Config
    number : int
        Which of the right shifts of the schedule's phases; see `rate_shifts`.
    swept : DerivedSweep or None
        Of a layer that a sweep teaches; None in a single layer.
    """

    _owner: Any = update_pass

    def __init__(self, config: Config, number: int, swept: DerivedSweep | None = None) -> None:
        self._config = config
        self._own = None if swept is None else swept_update(swept)
        self.name = f"update_{number}"
        shifts = rate_shifts(config) if self._own is None else self._own.shifts
        self._shift = shifts[number]
        self._phase = (derive(config) if swept is None else swept).phases[0]
        self._ranges = (derive(config) if swept is None else swept).ranges
        self.given = {
            "weight before": Interval.of(config.synapse.weight),
            "gradient": self._ranges["gradient" if swept is None else "sweep gradient"],
            "random bits": unsigned(config.learning.random_bits),
            "rate": unsigned(config.learning.rate_bits),
            "shift": Interval.point(number),
        }
        self.ports = {
            "weight": ("weight before", 0),
            "gradient": ("gradient", 0),
            "random": ("random bits", 0),
            "rate": ("rate", ALWAYS),
            "shift": ("shift", ALWAYS),
        }
        self.claims = (
            Claim("weight", "weight_next", UpdatePipe.latency),
            Claim("saturations of the weight", "saturated", UpdatePipe.latency, signed=False),
        )

    def component(self) -> Any:
        """Return the pipeline as a lane has it."""
        own = () if self._own is None else (self._own,)
        return used(self._owner, "UpdatePipe")(self._config, *own)

    def _constants(self, rate: Integer) -> PhaseConstants:
        """Return the constants of a phase with this right shift and any rate."""
        left, bias, right = self._shift
        return self._phase._replace(rate=rate, rate_left=left, rate_bias=bias, rate_right=right)

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Update one weight."""
        weights = array(values["weight before"])
        count = run(update.update_row)(
            weights, array(values["gradient"]), array(values["random bits"]), 0,
            self._constants(values["rate"]), derive(self._config).constants,
        )  # fmt: skip
        return {"weight": weights[0], "saturations of the weight": count}

    def ranges(
        self, values: Mapping[str, Integer], run: Run
    ) -> dict[str, tuple[Integer, Interval]]:
        """Return the product of rate and gradient with the bias of its rounding."""
        left, bias, _ = self._shift
        product = ((values["rate"] * values["gradient"]) << left) + bias
        return {"update product": (product, self._ranges["update product"])}

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return the update as text."""
        left, bias, right = self._shift
        c = derive(self._config).constants
        return (
            f"{values['weight before']} + (((({values['rate']} x {values['gradient']} << {left}) + "
            f"{bias}) >> {right}) + {values['random bits']}) >> {c.random_bits}, "
            f"saturated to {c.weight_low} ..= {c.weight_high}"
        )
