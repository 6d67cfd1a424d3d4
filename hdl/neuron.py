"""The neuron of one lane, pipelined (model twin: `bitlif.model.neuron`)."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.constants import Filter
from bitlif.model.derive import derive
from bitlif.model.fixed import Format, signed_digits

from .fixed import TIMES_LATENCY, round_shift, saturate, shape_for, shape_of, times
from .noise import draw_shape
from .pipeline import Pipe

LEAKY_SUM_LATENCY = TIMES_LATENCY + 2
"""Clock cycles that `leaky_sum` takes: both products; their sum; its saturation."""


def leaky_sum(
    pipe: Pipe, state: Value, taken: Value, f: Filter, name: str, fmt: Format
) -> tuple[Value, Value]:
    """Return ``keep * state + take * taken``, rounded and saturated, and the saturation flag.

    Both come `LEAKY_SUM_LATENCY` clock cycles after the operands.
    """
    if not f.keep:
        came = times(pipe, taken, f.take, f.bias, f"{name}_came")
        return _limited(pipe, pipe.register(came, f"{name}_sum"), f, name, fmt)
    # The rounding bias is added to the product with fewer terms.
    first = len(signed_digits(f.keep)) < len(signed_digits(f.take))
    kept = times(pipe, state, f.keep, f.bias if first else 0, f"{name}_kept")
    came = times(pipe, taken, f.take, 0 if first else f.bias, f"{name}_came")
    return _limited(pipe, pipe.register(kept + came, f"{name}_sum"), f, name, fmt)


def _limited(pipe: Pipe, total: Value, f: Filter, name: str, fmt: Format) -> tuple[Value, Value]:
    value, flag = saturate(total >> f.shift, shape_of(fmt))
    return (
        pipe.register(value, f"{name}_value", shape_of(fmt)),
        pipe.register(flag, f"{name}_saturated"),
    )


class NeuronPipe(wiring.Component):
    """Computes one step of a neuron of one lane: spike and new state from the sum of weights.

    Members
    -------
    weight_sum, current : In(signed)
        Exact sum of the step, and the synaptic current before the step.
    membrane : In(signed)
        Membrane potential before the step, `membrane_delay` clock cycles after ``weight_sum``.
    draw : In(signed)
        Noise draw, `draw_delay` clock cycles after ``weight_sum``; only with noise.
    reset : In(1)
        Reset by the teacher in this step (ignored with free reset).
    noise_scale : In(scale_bits)
        Noise scale of the phase; must be stable while a neuron is in the pipeline. Only with noise.
    current_soon : Out(signed)
        Synaptic current after the step, `current_latency` clock cycles after ``weight_sum``.
    current_next, membrane_next : Out(signed)
        State after the step.
    before : Out(signed)
        Membrane potential before the noise.
    spike : Out(1)
    saturated : Out(3)
        Saturation flags of the current, the membrane, and the membrane with noise kept in it.

    Latency: `latency` clock cycles. Throughput: one neuron per clock cycle. Handshake: none; the
    user delays a valid bit alongside. Reset: not needed.
    """

    current_latency = LEAKY_SUM_LATENCY
    membrane_delay = current_latency
    before_latency = membrane_delay + LEAKY_SUM_LATENCY
    noise_latency = 2  # product; rounding
    draw_delay = before_latency - noise_latency
    latency = before_latency + 2  # comparison; reset

    def __init__(self, config: Config) -> None:
        self._config = config
        ranges = derive(config).ranges
        current, membrane = (
            shape_of(fmt) for fmt in (config.synapse.current, config.membrane.format)
        )
        noise = {"draw": In(draw_shape(config.noise))}
        scale = {"noise_scale": In(config.noise.scale_bits)}
        super().__init__(
            {
                "weight_sum": In(shape_for(ranges["weight sum"])),
                "current": In(current),
                "membrane": In(membrane),
                **(noise if config.noise.drawn else {}),
                "reset": In(1),
                **(scale if config.noise.drawn else {}),
                "current_soon": Out(current),
                "current_next": Out(current),
                "membrane_next": Out(membrane),
                "before": Out(membrane),
                "spike": Out(1),
                "saturated": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the pipeline; intermediate values have the names of the model."""
        m = Module()
        pipe = Pipe(m)
        config = self._config
        derived = derive(config)
        c = derived.constants
        membrane_shape = shape_of(config.membrane.format)
        # Synaptic current.
        current, current_flag = leaky_sum(
            pipe, self.current, self.weight_sum, c.current, "current", config.synapse.current
        )
        m.d.comb += self.current_soon.eq(current)
        # Membrane potential; the noise arrives with its last stage.
        before, before_flag = leaky_sum(
            pipe, self.membrane, current, c.membrane, "membrane", config.membrane.format
        )
        # One draw decides the spike, and is part of the kept membrane if the noise is kept.
        noisy = before + self._noise(pipe) if config.noise.drawn else before
        spike = pipe.register(noisy >= c.threshold, "spike")
        kept, kept_flag = saturate(noisy, membrane_shape) if c.keep_noise else (before, Const(0, 1))
        kept = pipe.register(kept, "kept", membrane_shape)
        kept_flag = pipe.register(kept_flag, "kept_saturated")
        at_reset, reset_flag = self._reset(pipe, noisy if c.keep_noise else before, kept_flag)
        # Reset. Outputs of earlier stages are delayed to the last one.
        last = self.latency - 1
        reset = pipe.delay(self.reset, last, "reset") if c.teacher_reset else spike
        since_before, since_current = last - self.before_latency, last - self.current_latency
        m.d.sync += [
            self.membrane_next.eq(Mux(reset, at_reset, kept)),
            self.spike.eq(spike),
            self.before.eq(pipe.delay(before, since_before, "before")),
            self.current_next.eq(pipe.delay(current, since_current, "current")),
            self.saturated[0].eq(pipe.delay(current_flag, since_current, "current_saturated")),
            self.saturated[1].eq(pipe.delay(before_flag, since_before, "before_saturated")),
            self.saturated[2].eq(Mux(reset, reset_flag, kept_flag) if c.subtracted else kept_flag),
        ]
        return m

    def _reset(self, pipe: Pipe, exact: Value, kept_flag: Value) -> tuple[Value | int, Value]:
        """Return the membrane potential after a reset, and whether it saturated."""
        shape = shape_of(self._config.membrane.format)
        subtracted = derive(self._config).constants.subtracted
        if not subtracted:
            return 0, kept_flag
        value, flag = saturate(exact - subtracted, shape)
        return pipe.register(value, "reduced", shape), pipe.register(flag, "reduced_saturated")

    def _noise(self, pipe: Pipe) -> Value:
        """Return the draw in membrane LSBs, `noise_latency` clock cycles after ``draw``."""
        derived = derive(self._config)
        c = derived.constants
        scale = pipe.register(self.noise_scale, "noise_scale")
        product = pipe.register(scale * self.draw, "noise_product", keep=not c.noise_shift)
        scaled = round_shift(product, c.noise_bias, c.noise_shift)
        return pipe.register(scaled, "noise", shape_for(derived.ranges["noise"]))
