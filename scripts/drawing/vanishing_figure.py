"""The figure of the gradient at zero weights, without and with noise."""

from __future__ import annotations

from typing import Any

from bitlif.study.claims.models import MODELS, RULES
from bitlif.study.claims.students import TEACHER_SIGMA
from bitlif.study.claims.vanishing import Vanishing
from bitlif.study.statistics import mean_interval
from bitlif.tasks.colours import BLACK, BLUE, GREEN, ORANGE, VERMILION

from .figure_style import LABELS, errors, new_figure, span

TITLE = "At zero weights the clipped rule has no gradient until noise reaches the threshold"

FLOOR = 1e-10
"""Lower limit of the axis; smaller gradients are drawn here."""

COLOURS = {
    ("likelihood", "fixed"): BLUE,
    ("likelihood", "float"): GREEN,
    ("clipped", "fixed"): VERMILION,
    ("clipped", "float"): ORANGE,
}


def draw_vanishing(vanishing: Vanishing) -> Any:
    """Return the figure: the gradient at zero weights, and the results of students from there."""
    figure = new_figure(11.0, 5.4)
    size, reached = figure.subplots(1, 2)
    sigmas = list(dict.fromkeys(start.sigma for start in vanishing.starts))
    for rule in RULES:
        for model in MODELS:
            starts = [vanishing.start(sigma, rule, model) for sigma in sigmas]
            style = {
                "color": COLOURS[rule, model],
                "linestyle": "-" if model == "fixed" else "--",
                "marker": "o" if model == "fixed" else "s",
                "markersize": 5,
                "markerfacecolor": COLOURS[rule, model] if model == "fixed" else "none",
            }
            label = f"{rule}, {LABELS[model]}"
            means = [max(float(start.gradient.mean()), FLOOR) for start in starts]
            size.plot(sigmas, means, label=label, **style)
            errors(
                reached, sigmas, [mean_interval(start.agreement) for start in starts], style,
                label=label,
            )  # fmt: skip
    for axes in (size, reached):
        axes.set_xscale("log")
        ticks = [sigma for sigma in sigmas if sigma not in (0.15, 0.22, 0.25)]
        axes.set_xticks(ticks, [f"{sigma:g}" for sigma in ticks])
        axes.minorticks_off()
        axes.set_xlabel("sigma of the student's noise (threshold = 1)")
        axes.axvline(1 / vanishing.noise_reach, color=BLACK, linewidth=0.9, linestyle=":")
        axes.grid(alpha=0.3)
    size.set_yscale("log")
    size.set_ylim(FLOOR / 3, 1.0)
    ticks = [FLOOR, 1e-8, 1e-6, 1e-4, 1e-2, 1.0]
    size.set_yticks(ticks, ["≤ 1e-10", "1e-8", "1e-6", "1e-4", "1e-2", "1"])
    size.set_ylabel("gradient at zero weights\n(root mean square over inputs)")
    size.legend(loc="center left", fontsize=9, frameon=False)
    reached.set_ylabel(f"correlation with the teacher\nafter {vanishing.windows} windows")
    reached.set_ylim(-0.05, 1.0)
    return figure


def caption_vanishing(vanishing: Vanishing) -> str:
    """Return the caption: what was measured, and the result."""
    edge = 1 / vanishing.noise_reach
    sigmas = sorted({start.sigma for start in vanishing.starts})
    silent = [
        sigma for sigma in sigmas if not vanishing.start(sigma, "clipped", "fixed").gradient.any()
    ]
    best = max(
        sigmas, key=lambda sigma: vanishing.start(sigma, "clipped", "fixed").agreement.mean()
    )
    ends = {
        (rule, model): span(mean_interval(vanishing.start(sigma, rule, model).agreement))
        for rule, sigma in (("clipped", best), ("likelihood", sigmas[0]))
        for model in MODELS
    }
    return (
        f"64 inputs at 0.02 spikes a step, one student, zero weights; the teacher's noise is "
        f"{TEACHER_SIGMA:g} throughout; {vanishing.seeds} seeds, bars are 95 % intervals "
        f"(Student's t). Left: size of the first window's gradient. In fixed point the clipped "
        f"rule's is exactly zero up to sigma {max(silent):g}: the noise ends at "
        f"{vanishing.noise_reach:.2f} sigma and cannot reach the threshold below sigma {edge:.3f} "
        f"(dotted), and just above that the table rounds it away; the float twin's Gaussian tail "
        f"leaves it a trace. The likelihood rule's never vanishes; its plateau is the rule's limit "
        f"of 8. Right: weights after {vanishing.windows} windows; 0 is a silent student, none of "
        f"whose weights reached half an LSB. Clipped at its best, sigma {best:g}: "
        f"{ends['clipped', 'fixed']} fixed point, {ends['clipped', 'float']} float; likelihood at "
        f"sigma {sigmas[0]:g}: {ends['likelihood', 'fixed']} and {ends['likelihood', 'float']}."
    )
