"""A spiking layer as a classifier with scikit-learn's conventions."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bitlif.fpga.families import FAMILIES
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, BitlifTypeError, require_choice, require_int, warn
from bitlif.model.events import Events
from bitlif.model.extras import missing_extra
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.text import quoted
from bitlif.tasks.arrays import encoder_for, encoder_options_for
from bitlif.tasks.diagnosis import diagnose
from bitlif.tasks.encoding import Encoder
from bitlif.tasks.finding import CHANCE, Finding, binomial_tail, percent
from bitlif.tasks.independent import prediction_config, run_independent
from bitlif.tasks.labels import TRUE_TARGET, label_targets
from bitlif.tasks.learner import Engine, Learner, targets_for
from bitlif.tasks.numeric import kind_of, windows_of
from bitlif.tasks.readouts import readout
from bitlif.tasks.suit_config import Choice, suit_config
from bitlif.tasks.task import Epoch, Examples
from bitlif.tasks.training import order_source

from .backends.open import open
from .estimator_inputs import checked_inputs, codes_among

MISSING: ImportError | None = None
try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, column_or_1d
except ImportError as error:  # The class can be imported, and says so when it is used.
    MISSING = error
    ClassifierMixin, BaseEstimator = type("ClassifierMixin", (), {}), object

BLOCK = 1 << 22
"""Most windows times steps times neurons whose membranes are recorded at once."""


class SpikingClassifier(ClassifierMixin, BaseEstimator):
    """A classifier made of one layer of noisy spiking neurons, one per class, that learns.

    It encodes the data as spikes, suits a configuration to them, trains the layer, and answers with
    the class of the neuron that the readout names. Everything is computed in integers: the same
    data and parameters give the same weights and answers on every machine, for any number of
    threads and for any batch, and on gates as on the model.

    Parameters
    ----------
    hidden : tuple of int
        Sizes of hidden layers. Must be ``()``: the classifier has one layer.
    steps : int
        Steps per window of tables and series, unless `config` is given. Spikes have their own.
    encoder : str
        One of `bitlif.tasks.encoding.ENCODERS`; see `bitlif.tasks.encoding.Encoder.fit`. Ready
        spikes need none.
    readout : str
        One of `bitlif.tasks.readouts.READOUTS`.
    epochs : int
        Passes over the training windows in `fit`.
    config : Config, str, path or None
        A configuration, the name of a ready-made one, or a TOML file; it must have the sizes of the
        data. None: one that suits the training spikes; see `bitlif.tasks.suit_config`.
    backend : str
        ``"model"``, ``"float"``, ``"rtl"`` or a netlist; see `bitlif.open`. Boards are trained with
        `bitlif.open` and `bitlif.tasks.train`.
    seed : int
        Seed of the spikes, the order of the windows, and the LFSRs.
    encoder_options : dict or None
        Options of the encoder. None: `bitlif.tasks.arrays.encoder_options_for`.
    true_target : float
        Target of the neuron of the true class in spikes per step, above 0 and at most 1.
    threads : int
        Threads of the backend ``"model"`` in predictions. No result depends on it.

    Attributes
    ----------
    classes_ : (K,)
        Classes in ascending order; neuron k answers with the k-th.
    config_ : Config
        The configuration, LFSR seeds included.
    choices_ : list of Choice
        What was chosen for `config_` and why; empty if `config` was given.
    encoder_ : Encoder
    weights_ : (N, K) int64, or float64 with backend ``"float"``
        Raw weights; ``config_.synapse.weight`` is their format.
    history_ : list of Epoch
        Accuracy while learning, spikes and counters of each pass.
    findings_ : list of Finding
        What `bitlif.tasks.diagnosis.diagnose` measured after `fit`.
    n_features_in_, n_iter_ : int
        Features, channels or inputs of the data; passes over training windows.
    feature_names_in_ : array of str
        Names of the columns of a data frame, if `X` was one.

    Notes
    -----
    `partial_fit` scales the encoder and the configuration to the first batch. With `classes` given,
    a batch may lack some of them. ``fit`` with E epochs equals E calls of ``partial_fit`` with the
    same windows.

    There is no ``predict_proba``: spike counts are no probabilities. `decision_function` gives the
    counts.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> SpikingClassifier(epochs=5).fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.9
    True
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (),
        steps: int = 64,
        encoder: str = "rate",
        readout: str = "count",
        epochs: int = 20,
        config: Any = None,
        backend: str = "model",
        seed: int = 0,
        *,
        encoder_options: dict[str, Any] | None = None,
        true_target: float = TRUE_TARGET,
        threads: int = 1,
    ) -> None:
        if MISSING is not None:
            raise missing_extra("SpikingClassifier needs scikit-learn", "demo", MISSING)
        self.hidden = hidden
        self.steps = steps
        self.encoder = encoder
        self.readout = readout
        self.epochs = epochs
        self.config = config
        self.backend = backend
        self.seed = seed
        self.encoder_options = encoder_options
        self.true_target = true_target
        self.threads = threads

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # -- learning ----------------------------------------------------------------------------

    def fit(self, X: Any, y: Any) -> Self:
        """Train on windows, starting from weights of zero.

        Parameters
        ----------
        X : (windows, features) or (windows, channels, samples) of numbers, or spikes
            A table, time series, or spikes as `Events` or (windows, steps, inputs) bool.
        y : (windows,) of integers or strings
            The class of each window.

        Raises
        ------
        BitlifError
            If a parameter, `X` or `y` is not accepted. scikit-learn's checks of `X` and `y` raise
            its own errors, which are `ValueError` as well.

        Warns
        -----
        BitlifWarning
            If the accuracy on the training windows is not above chance.
        """
        epochs = require_int("epochs", self.epochs, 1, 1 << 30)
        inputs, labels = self._checked(X, y, first=True)
        events, codes = self._begin(inputs, labels, np.unique(labels))
        for _ in range(epochs):
            self._learn(events, codes)
        self._finish()
        self._diagnose(events, codes)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Train on a batch of windows once, continuing with weights, state and schedule.

        Parameters
        ----------
        X, y
            As in `fit`.
        classes : (K,) or None
            All classes of all batches. Required in the first call; later None or the same.

        Raises
        ------
        BitlifError
            As in `fit`; if the classes are missing or change, a label is no class, or a classifier
            on gates was copied after it was trained.
        """
        first = not hasattr(self, "weights_")
        if first and classes is None:
            raise BitlifError("classes must be given in the first call of partial_fit, not None")
        inputs, labels = self._checked(X, y, first=first)
        if first:
            known = np.unique(column_or_1d(classes))
            events, codes = self._begin(inputs, labels, known)
        else:
            if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
                raise BitlifError(
                    f"classes must be {quoted(self.classes_.tolist())} as in the first call, "
                    f"not {quoted(np.unique(classes).tolist())}"
                )
            events = self.encoder_.encode(inputs, seed=self.seed)
            codes = codes_among(labels, self.classes_)
        self._learn(events, codes)
        self._finish()
        return self

    def _checked(self, X: Any, y: Any, *, first: bool) -> tuple[Any, NDArray[Any]]:
        """Return checked inputs and labels."""
        if isinstance(self.hidden, (str, bytes)) or not hasattr(self.hidden, "__len__"):
            raise BitlifTypeError(f"hidden must be (), not {quoted(self.hidden)}")
        if len(self.hidden):
            raise BitlifError(
                f"hidden must be (), not {quoted(self.hidden)}: the classifier has one layer, "
                f"from the inputs to the classes"
            )
        accepted = ("model", "float", "rtl", *(family.backend for family in FAMILIES.values()))
        require_choice("backend", self.backend, accepted)
        require_int("seed", self.seed, 0, (1 << 31) - 1)
        require_int("threads", self.threads, 1, 256)
        readout(self.readout)
        if y is None:
            raise BitlifError("requires y to be passed, but the target y is None")
        inputs, labels = checked_inputs(self, X, y, reset=first)
        check_classification_targets(labels)
        return inputs, labels

    def _begin(
        self, inputs: Any, labels: NDArray[Any], classes: NDArray[Any]
    ) -> tuple[Events, NDArray[np.int64]]:
        """Fit encoder and configuration, and make a layer; return events and codes of classes."""
        if classes.size < 2:
            raise BitlifError(f"y must have at least two classes, not {classes.size} class")
        codes = codes_among(labels, classes)
        given = None
        if self.config is not None:
            given = self.config if isinstance(self.config, Config) else Config.load(self.config)
        name = encoder_for(self.encoder, kind_of(inputs))
        steps = self.steps if given is None else given.window.steps
        if isinstance(inputs, Events):
            steps = inputs.steps
        options = encoder_options_for(name, self.encoder_options)
        encoder = Encoder.fit(name, inputs, steps=steps, **options)
        events = encoder.encode(inputs, seed=self.seed)
        choices: list[Choice] = []
        if given is None:
            given, choices = suit_config(
                events, classes.size, epochs=self.epochs, name="classifier"
            )
        sizes = given.layer.inputs, given.layer.neurons, given.window.steps
        wanted = events.units, classes.size, events.steps
        if sizes != wanted:
            raise BitlifError(
                f"config must have {wanted[0]} inputs, {wanted[1]} neurons and {wanted[2]} steps "
                f"for these data, not {sizes[0]}, {sizes[1]} and {sizes[2]}"
            )
        self.classes_, self.encoder_ = classes, encoder
        self.config_, self.choices_ = given.seeded(self.seed), choices
        self.history_: list[Epoch] = []
        self._orders = order_source(self.seed)
        self._layer: Learner | None = self._opened(self.config_)
        return events, codes

    def _opened(self, config: Config, *, learning: bool = True) -> Learner:
        """Return a new layer on the backend."""
        if self.backend == "model":
            return Engine(Layer(config, threads=self.threads))
        if self.backend == "float":
            return Engine(FloatLayer(config, seed=self.seed))
        return open(config, self.backend, learning=learning)

    def _learn(self, events: Events, codes: NDArray[np.int64]) -> None:
        """Learn all windows once, in a random order."""
        layer = self._layer
        if layer is None:
            raise BitlifError(
                f"partial_fit cannot continue: backend {self.backend} has no state that could be "
                f"copied; the classifier still predicts"
            )
        read = readout(self.readout)
        order = self._orders.permutation(events.windows)
        targets = targets_for(layer, label_targets(codes, self.classes_.size, self.true_target))
        right, spikes = 0, 0
        counters: dict[str, int] = {}
        for chosen in _blocks(order, events.steps * self.classes_.size):
            result = layer.learn(events.select(chosen), targets[chosen], record=read.records(layer))
            right += int((read.classify(result) == codes[chosen]).sum())
            spikes += int(result.counts.sum())
            for name, count in result.counters.items():
                counters[name] = counters.get(name, 0) + count
        windows = events.windows
        self.history_.append(
            Epoch(len(self.history_) + 1, right / windows, float("nan"), spikes / windows, counters)
        )

    def _finish(self) -> None:
        assert self._layer is not None
        self.weights_ = self._layer.weights()
        self.n_iter_ = len(self.history_)

    def _diagnose(self, events: Events, codes: NDArray[np.int64]) -> None:
        """Set `findings_`, and warn if the accuracy on the training windows is not above chance."""
        classes = self.classes_.size
        targets = label_targets(codes, classes, self.true_target)
        examples = Examples(events, events.select([]), train_targets=targets)
        self.findings_: list[Finding] = diagnose(self._layer, examples, self.history_)
        right = int((self._scores(events).argmax(axis=1) == codes).sum())
        chance = float(np.bincount(codes).max() / codes.size)
        if binomial_tail(right, codes.size, chance) <= CHANCE:
            return
        if binomial_tail(codes.size, codes.size, chance) > CHANCE:
            return  # So few windows cannot be above chance.
        problems = [finding.message for finding in self.findings_ if finding.problem]
        cure = "likely cure: more epochs, another encoder, or labels in the order of the windows"
        warn(
            f"accuracy on the training windows, {percent(right / codes.size)}, is not above chance,"
            f" {percent(chance)}: {'; '.join(problems) or cure}"
        )

    # -- answers -----------------------------------------------------------------------------

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of each window: (windows,).

        A window's answer depends on the window only, not on the others or on earlier calls: each
        is run from the reset state.
        """
        check_is_fitted(self, "weights_")
        return np.asarray(self.classes_[self._scores_of(X).argmax(axis=1)])

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return what the readout compares: (windows, K), or (windows,) for two classes.

        For readout ``"count"``, the number of spikes of each neuron; for ``"first_spike"``, minus
        the step of the first one; for ``"membrane"``, the sum of the membrane. Neurons of equal
        value differ by fractions below 1, in the order in which the readout prefers them. For two
        classes, it is the value of the second neuron minus that of the first.
        """
        check_is_fitted(self, "weights_")
        scores = self._scores_of(X)
        return scores[:, 1] - scores[:, 0] if self.classes_.size == 2 else scores

    def _scores_of(self, X: Any) -> NDArray[np.float64]:
        inputs, _ = checked_inputs(self, X, reset=False)
        parts = [np.zeros((0, self.classes_.size))]
        size = self.encoder_.steps * max(self.classes_.size, self.encoder_.inputs)
        for chosen in _blocks(np.arange(windows_of(inputs)), size):
            some = inputs.select(chosen) if isinstance(inputs, Events) else inputs[chosen]
            parts.append(self._scores(self.encoder_.encode(some, seed=self.seed)))
        return np.concatenate(parts)

    def _scores(self, events: Events) -> NDArray[np.float64]:
        """Return the score of each neuron in each window, each run from the reset state."""
        read = readout(self.readout)
        if self.backend in ("model", "float"):
            layer = self._opened(self.config_)
            layer.load(self.weights_)
            result = run_independent(layer, events, record=read.records(layer))
            return read.scores(result)
        with open(prediction_config(self.config_), self.backend, learning=False) as core:
            core.load(self.weights_)
            return read.scores(core.run(events, record=read.records(core)))

    def __getstate__(self) -> dict[str, Any]:
        # A simulator or board is no part of a copy, which predicts but cannot continue to learn.
        state: dict[str, Any] = dict(super().__getstate__())
        if not isinstance(state.get("_layer"), Engine | None):
            state["_layer"] = None
        return state


def _blocks(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Return an order of windows in parts of at most `BLOCK` values, `size` per window."""
    most = max(1, BLOCK // size)
    return [order[first : first + most] for first in range(0, len(order), most)]
