"""The neuron of one lane, pipelined (model twin: `bitlif.model.neuron`)."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.constants import Filter
from bitlif.model.derive import derive
from bitlif.model.fixed import Format, signed_digits

from .fixed import round_shift, saturate, shape_for, shape_of, times
from .noise import draw_shape
from .pipeline import Pipe


def leaky_sum(
    pipe: Pipe, state: Value, taken: Value, f: Filter, name: str, fmt: Format
) -> tuple[Value, Value]:
    """Return ``keep * state + take * taken``, rounded, saturated, and the flag, 4 clocks later.

    The clocks: both products, two; their sum; the saturated value.
    """
    # The rounding goes where fewer terms are to be added.
    first = len(signed_digits(f.keep)) < len(signed_digits(f.take))
    kept = times(pipe, state, f.keep, f.bias if first else 0, f"{name}_kept")
    came = times(pipe, taken, f.take, 0 if first else f.bias, f"{name}_came")
    total = pipe.register(kept + came, f"{name}_sum")
    value, flag = saturate(total >> f.shift, shape_of(fmt))
    return (
        pipe.register(value, f"{name}_value", shape_of(fmt)),
        pipe.register(flag, f"{name}_saturated"),
    )


class NeuronPipe(wiring.Component):
    """One neuron-step of a lane, from the sum of its weights to spike and new state.

    Members
    -------
    weight_sum, current : In(signed)
        The step's exact sum, and the synaptic current before it.
    membrane : In(signed)
        The membrane before it; `membrane_delay` clocks later.
    draw : In(signed)
        The noise draw; `draw_delay` clocks later.
    reset : In(1)
        The teacher's reset of this step (ignored with free reset).
    noise_scale : In(scale_bits)
        Of the phase; must hold while anything is in the pipe.
    current_soon : Out(signed)
        The synaptic current after the step, `current_latency` clocks after what came first.
    current_next, membrane_next : Out(signed)
        The state after the step.
    before : Out(signed)
        Membrane potential before the noise.
    spike : Out(1)
    saturated : Out(3)
        Whether the current, the membrane, and the kept membrane saturated.

    Latency: `latency` clocks. Throughput: one neuron-step a clock. Handshake: none, the user keeps
    a valid bit beside it. Reset: none needed.
    """

    latency = 10
    membrane_delay, current_latency = 4, 4
    draw_delay = 6

    def __init__(self, config: Config) -> None:
        self._config = config
        ranges = derive(config).ranges
        current, membrane = (
            shape_of(fmt) for fmt in (config.synapse.current, config.membrane.format)
        )
        super().__init__(
            {
                "weight_sum": In(shape_for(ranges["weight sum"])),
                "current": In(current),
                "membrane": In(membrane),
                "draw": In(draw_shape(config.noise)),
                "reset": In(1),
                "noise_scale": In(config.noise.scale_bits),
                "current_soon": Out(current),
                "current_next": Out(current),
                "membrane_next": Out(membrane),
                "before": Out(membrane),
                "spike": Out(1),
                "saturated": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build ten ranks of registers, the model's names beside them."""
        m = Module()
        pipe = Pipe(m)
        config = self._config
        derived = derive(config)
        c, ranges = derived.constants, derived.ranges
        membrane_shape = shape_of(config.membrane.format)
        # Clocks 1 to 4: synaptic current.
        current, current_flag = leaky_sum(
            pipe, self.current, self.weight_sum, c.current, "current", config.synapse.current
        )
        m.d.comb += self.current_soon.eq(current)
        # Clocks 5 to 8: membrane; the last two of them: noise.
        before, before_flag = leaky_sum(
            pipe, self.membrane, current, c.membrane, "membrane", config.membrane.format
        )
        scale = pipe.register(self.noise_scale, "noise_scale")
        product = pipe.register(scale * self.draw, "noise_product", keep=not c.noise_shift)
        scaled = round_shift(product, c.noise_bias, c.noise_shift)
        noise = pipe.register(scaled, "noise", shape_for(ranges["noise"]))
        # Clock 9: the one draw decides the spike; what is kept.
        noisy = before + noise
        spike = pipe.register(noisy >= c.threshold, "spike")
        kept, kept_flag = saturate(noisy, membrane_shape) if c.keep_noise else (before, Const(0, 1))
        kept = pipe.register(kept, "kept", membrane_shape)
        kept_flag = pipe.register(kept_flag, "kept_saturated")
        # Clock 10: reset.
        reset = pipe.delay(self.reset, 9, "reset") if c.teacher_reset else spike
        m.d.sync += [
            self.membrane_next.eq(Mux(reset, 0, kept)),
            self.spike.eq(spike),
            self.before.eq(pipe.delay(before, 1, "before")),
            self.current_next.eq(pipe.delay(current, 5, "current")),
            self.saturated[0].eq(pipe.delay(current_flag, 5, "current_saturated")),
            self.saturated[1].eq(pipe.delay(before_flag, 1, "before_saturated")),
            self.saturated[2].eq(kept_flag),
        ]
        return m
