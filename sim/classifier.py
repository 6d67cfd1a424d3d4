"""A spiking layer or network as a classifier with scikit-learn's conventions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer
from bitlif.model.errors import BitlifError, require_int, warn
from bitlif.model.events import Events
from bitlif.model.extras import missing_extra
from bitlif.model.text import quoted
from bitlif.tasks.arrays import encoder_for, encoder_options_for
from bitlif.tasks.diagnosis import diagnose
from bitlif.tasks.encoding import Encoder
from bitlif.tasks.finding import CHANCE, Finding, binomial_tail, percent
from bitlif.tasks.labels import TRUE_TARGET, label_targets
from bitlif.tasks.learner import Learner, targets_for
from bitlif.tasks.numeric import kind_of, windows_of
from bitlif.tasks.readouts import readout
from bitlif.tasks.suit_config import Choice
from bitlif.tasks.suit_network import hidden_sizes
from bitlif.tasks.task import Epoch, Examples
from bitlif.tasks.training import order_source

from .estimator_inputs import checked_inputs, codes_among
from .estimator_layer import (
    can_be_copied,
    chosen_config,
    given_config,
    neurons_of,
    opened,
    require_estimator_backend,
    scores_of,
)

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
    """A classifier made of noisy spiking neurons, one per class, that learns.

    It encodes the data as spikes, suits a configuration to them, trains the layer or the network,
    and answers with the class of the neuron that the readout names. Everything is computed in
    integers: the same data and parameters give the same weights and answers on every machine, for
    any number of threads and for any batch, and on gates as on the model.

    Parameters
    ----------
    hidden : int, sequence of int or None
        Sizes of hidden layers, from the inputs on: ``96`` or ``(96, 32)``. Empty or None: a single
        layer. Hidden layers learn what a single layer cannot, and take longer.
    steps : int
        Steps per window of tables and series, unless `config` is given. Spikes have their own.
    encoder : str
        One of `bitlif.tasks.encoding.ENCODERS`; see `bitlif.tasks.encoding.Encoder.fit`. Ready
        spikes need none.
    readout : str
        One of `bitlif.tasks.readouts.READOUTS`.
    epochs : int
        Passes over the training windows in `fit`.
    config : Config, NetworkConfig, str, path or None
        A configuration of a layer or a network, the name of a ready-made one, or a TOML file; it
        must have the sizes of the data. None: one that suits the training spikes; see
        `bitlif.tasks.suit_config` and `bitlif.tasks.suit_network`.
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
    config_ : Config or NetworkConfig
        The configuration, LFSR seeds included.
    choices_ : list of Choice
        What was chosen for `config_` and why; empty if `config` was given.
    encoder_ : Encoder
    weights_ : (N, K) int64, or float64 with backend ``"float"``; or a list
        Raw weights; ``config_.synapse.weight`` is their format. With hidden layers, a list with
        those of each layer, in the formats ``config_.layers[n].config.synapse.weight``.
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
    >>> import numpy as np
    >>> X = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    >>> y = X[:, 0] * X[:, 1] > 0
    >>> SpikingClassifier(hidden=16, epochs=10).fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.85
    True
    """

    def __init__(
        self,
        hidden: int | Sequence[int] | None = (),
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
        hidden_sizes(self.hidden)
        require_estimator_backend(self.backend)
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
        hidden = hidden_sizes(self.hidden)
        given = given_config(self.config, hidden)
        name = encoder_for(self.encoder, kind_of(inputs))
        steps = self.steps if given is None else outer(given).window.steps
        if isinstance(inputs, Events):
            steps = inputs.steps
        options = encoder_options_for(name, self.encoder_options)
        encoder = Encoder.fit(name, inputs, steps=steps, **options)
        events = encoder.encode(inputs, seed=self.seed)
        given, choices = chosen_config(given, events, classes.size, hidden, self.epochs)
        self.classes_, self.encoder_ = classes, encoder
        self.config_: Config | NetworkConfig = given.seeded(self.seed)
        self.choices_: list[Choice] = choices
        self.history_: list[Epoch] = []
        self._orders = order_source(self.seed)
        self._layer: Learner | None = opened(
            self.config_, self.backend, seed=self.seed, threads=self.threads
        )
        return events, codes

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
        for chosen in _blocks(order, events.steps * neurons_of(self.config_)):
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
        size = self.encoder_.steps * max(neurons_of(self.config_), self.encoder_.inputs)
        for chosen in _blocks(np.arange(windows_of(inputs)), size):
            some = inputs.select(chosen) if isinstance(inputs, Events) else inputs[chosen]
            parts.append(self._scores(self.encoder_.encode(some, seed=self.seed)))
        return np.concatenate(parts)

    def _scores(self, events: Events) -> NDArray[np.float64]:
        """Return the score of each neuron in each window, each run from the reset state."""
        return scores_of(
            self.config_, self.backend, self.weights_, events, readout(self.readout),
            seed=self.seed, threads=self.threads,
        )  # fmt: skip

    def __getstate__(self) -> dict[str, Any]:
        # A simulator or board is no part of a copy, which predicts but cannot continue to learn.
        state: dict[str, Any] = dict(super().__getstate__())
        if not can_be_copied(state.get("_layer")):
            state["_layer"] = None
        return state


def _blocks(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Return an order of windows in parts of at most `BLOCK` values, `size` per window."""
    most = max(1, BLOCK // size)
    return [order[first : first + most] for first in range(0, len(order), most)]
