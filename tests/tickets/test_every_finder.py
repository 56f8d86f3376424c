"""Tests of every finder in the registry."""

import dataclasses
import functools
import math
import signal

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf import datasets
from rigl_tf import tickets
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.random import smart_ratio_tuned
from rigl_tf.tickets.search.score_model import ScoreModel
from rigl_tf.tickets.search.score_rules import RoundedScores
from rigl_tf.training import learning_rates
from rigl_tf.training.trainer import Trainer
from tests.tickets import small

MODEL, DATA = small.network(), small.dataset()
SIZE = 4 * 12 + 12 * 8 + 8 * 3
FINDERS = {
    "random": tickets.Random(),
    "magnitude": tickets.Magnitude(),
    "magnitude by layer": tickets.Magnitude(scope="layer"),
    "magnitude by output": tickets.Magnitude(scope="output"),
    "magnitude by lamp": tickets.Magnitude(scope="layer", distribution="lamp"),
    "snip": tickets.SNIP(),
    "grasp": tickets.GraSP(),
    "synflow": tickets.SynFlow(num_iterations=10),
    "prospr": tickets.ProsPr(),
    "smart_ratio": tickets.SmartRatio(),
    "smart_ratio_search": tickets.SmartRatioSearch(
        {"first": 0.2, "second": 0.2, "last": 0.4},
        tilts=(((0, 2), 0.1, (0, 1)),),
        epochs=1,
    ),
    "smart_ratio_tuned": tickets.SmartRatioTuned(epochs=1),
    "edge_popup": tickets.EdgePopup(),
    "edge_popup global": tickets.EdgePopup(scope="global"),
    "edge_popup gradual": tickets.EdgePopup(
        scope="global", period=1, regularization=1e-3
    ),
    "gem_miner": tickets.GemMiner(1e-3, period=1),
    "gem_miner inverted": tickets.GemMiner(period=1, inverted=True),
    "gem_miner with Adam": tickets.GemMiner(
        norm=1, period=2, weights="own", optimizer=optimizers.adam
    ),
    "imp": tickets.IMP(epochs=1),
    "imp warm": tickets.IMP(epochs=1, rewind_step=3),
    "lr_rewinding": tickets.LearningRateRewinding(epochs=1),
    "one_shot_lottery": tickets.OneShotLottery(),
    "wanda": tickets.Wanda(),
    "wanda at once": tickets.Wanda(sequential=False, distribution="lamp"),
    "sparse_gpt": tickets.SparseGPT(),
    "after_training": tickets.AfterTraining(epochs=1),
    "after_training by wanda": tickets.AfterTraining(tickets.Wanda(), epochs=1),
}
# Finders whose tickets have new weights.
NEW_WEIGHTS = ("edge_popup", "gem_miner", "imp warm", "lr_rewinding")
NEW_WEIGHTS += ("sparse_gpt", "after_training")
# Finders that do not keep exactly a quarter: the least and most connections.
ABOUT = {
    "gem_miner": (0, 42),
    "gem_miner with Adam": (0, 42),
    "smart_ratio_search": (42, 45),  # 0.1 more of 48, less of 24
    "smart_ratio_tuned": (41, 43),
}


@pytest.fixture(autouse=True)
def plain_again():
    """Lets every test start with the model as it was made."""
    before = [(v, np.array(v), v.trainable) for v in MODEL.variables]
    yield
    rigl_tf.densify(MODEL)
    for variable, value, trainable in before:
        variable.assign(value)
        variable.trainable = trainable


@functools.cache
def found(name, density=0.25, seed=0):
    trainer = small.make_trainer(MODEL, DATA)
    return FINDERS[name].find(MODEL, DATA, density, seed, trainer)


def test_every_finder_is_here():
    assert tickets.TICKETS.keys() <= FINDERS.keys()
    for name, finder in FINDERS.items():
        kind = tickets.TICKETS[name.split(" ")[0]]
        assert type(finder) is kind


@pytest.mark.parametrize("name", FINDERS)
def test_it_keeps_the_density_and_every_layer(name):
    ticket = found(name)
    kept = sum(m.sum() for m in ticket.masks.values())
    assert ticket.density == kept / SIZE
    least, most = ABOUT.get(name, (SIZE // 4, SIZE // 4))
    assert least <= kept <= most
    for mask in ticket.masks.values():
        assert mask.dtype == bool and mask.any()


@pytest.mark.parametrize("name", FINDERS)
def test_it_leaves_the_model_alone(name):
    before = MODEL.get_weights()
    ticket = found(name)
    for one, two in zip(before, MODEL.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (ticket.weights is not None) == name.startswith(NEW_WEIGHTS)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", FINDERS)
def test_the_same_seed_finds_the_same_ticket(name):
    one, two = found(name), found.__wrapped__(name)
    for kernel, mask in one.masks.items():
        np.testing.assert_array_equal(mask, two.masks[kernel])
    for first, second in zip(one.weights or [], two.weights or [], strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", FINDERS)
def test_scores_have_the_shape_of_kernels_and_are_numbers(name):
    ticket = found(name)
    if ticket.scores is None:
        assert name.startswith(("random", "smart_ratio"))
        return
    for kernel, mask in ticket.masks.items():
        assert ticket.scores[kernel].shape == mask.shape
        assert not np.isnan(ticket.scores[kernel]).any()


@pytest.mark.few(2)
@pytest.mark.parametrize("name", FINDERS)
def test_a_ticket_trains_and_keeps_to_its_masks(name):
    ticket = found(name)
    sparse = ticket.sparsify(MODEL)
    small.make_trainer(MODEL, DATA).compile(sparse)
    sparse.run_eagerly = True  # most of a graph's time is its making
    sparse.fit(DATA.train(0), steps_per_epoch=3, verbose=0, shuffle=False)
    for kernel in sparse.kernels:
        active = np.array(kernel.variable) != 0
        assert not (active & ~ticket.masks[kernel.name]).any()


@pytest.mark.few(5)
@pytest.mark.parametrize("name", FINDERS)
def test_a_density_of_1_is_refused(name):
    with pytest.raises(ValueError, match="above 0 and below 1"):
        FINDERS[name].find(MODEL, DATA, 1)


@pytest.mark.parametrize(
    ("density", "problem"),
    [
        (0, "above 0 and below 1"),
        (1.5, "above 0 and below 1"),
        ("0.1", "above 0 and below 1"),
        (float("nan"), "above 0 and below 1"),
        (1e-9, "at least one of 168"),
    ],
)
def test_a_density_that_cannot_be_is_refused(density, problem):
    with pytest.raises(ValueError, match=problem):
        tickets.Magnitude().find(MODEL, DATA, density)


def test_a_model_without_layers_to_mask_is_refused():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Softmax()])
    for finder in FINDERS.values():
        with pytest.raises(ValueError, match="no layer to make sparse"):
            finder.find(model, DATA, 0.5)


@pytest.mark.parametrize(
    "finder",
    [
        tickets.SNIP(num_batches=5),
        tickets.GraSP(num_batches=5),
        tickets.ProsPr(num_steps=4),
    ],
)
def test_more_batches_than_there_are_is_refused(finder):
    with pytest.raises(ValueError, match="need 5 batches.*with 4 batches"):
        finder.find(MODEL, DATA, 0.5)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["snip", "grasp", "prospr"])
def test_a_loss_that_is_not_finite_names_the_layers(name):
    x = np.full((16, 4), 1e38)
    data = datasets.from_arrays(
        "huge",
        train=(x, np.arange(16) % 3),
        test=(x, np.arange(16) % 3),
        num_classes=3,
        batch_size=4,
    )
    with pytest.raises(
        ValueError, match="must be numbers. Received NaN in .*first"
    ):
        FINDERS[name].find(MODEL, data, 0.5)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["edge_popup", "gem_miner", "imp"])
def test_a_model_that_is_not_compiled_cannot_be_searched_by_training(name):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    finder = dataclasses.replace(FINDERS[name], epochs=3)
    if name != "imp":  # the other finders have their own optimizers
        assert 0 < finder.find(model, DATA, 0.5).density <= 0.5
        return
    with pytest.raises(
        ValueError, match=r"without an optimizer. Call .*compile"
    ):
        finder.find(model, DATA, 0.5)


@pytest.mark.parametrize("period", [0, 4, 7, 1.5])
def test_a_period_that_leaves_no_time_is_refused(period):
    for make in (
        lambda: tickets.GemMiner(period=period),
        lambda: tickets.EdgePopup(scope="global", period=period),
    ):
        with pytest.raises(ValueError, match=r"`period`.*Received: period="):
            make().find(
                MODEL, DATA, 0.5, trainer=small.make_trainer(MODEL, DATA)
            )


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: tickets.SNIP(scope="all"), "one of 'global', 'layer'"),
        (lambda: tickets.SNIP(num_batches=0), "at least 1"),
        (lambda: tickets.GraSP(temperature=0), "`temperature`"),
        (lambda: tickets.SynFlow(schedule="cubic"), "'exponential', 'linear'"),
        (lambda: tickets.SynFlow(dtype="float16"), "'float32', 'float64'"),
        (lambda: tickets.ProsPr(order="second"), "'full', 'first'"),
        (lambda: tickets.SmartRatio(shape="cone"), "'quadratic', 'vgg'"),
        (lambda: tickets.GemMiner(regularization=-1), "`regularization`"),
        (lambda: tickets.GemMiner(norm=3), "one of 1, 2"),
        (lambda: tickets.EdgePopup(weights="mine"), "'own'"),
        (lambda: tickets.EdgePopup(period=5), 'scope="global"'),
        (lambda: tickets.GemMiner("1e-3"), "regularization='1e-3'"),
        (lambda: tickets.EdgePopup(regularization=math.inf), "=inf"),
        (lambda: tickets.EdgePopup(epochs=0), "epochs=0"),
        (lambda: tickets.ProsPr(momentum=1), "`momentum`"),
        (lambda: tickets.ProsPr(learning_rate="1"), "`learning_rate`"),
        (lambda: tickets.SmartRatio(first=2), "`first`"),
        (lambda: tickets.SmartRatioSearch({"w": 0}), "`centre"),
        (
            lambda: tickets.SmartRatioSearch(
                {"w": 0.5, "v": 0.5}, tilts=(((0, 1), 0.1, (2,)),)
            ),
            "from -1 to 1.*shifts",
        ),
        (
            lambda: tickets.SmartRatioSearch(
                {"w": 0.5, "v": 0.5}, tilts=(((0, 2), 0.1, (1,)),)
            ),
            "from 0 to 1.*layers",
        ),
        (lambda: tickets.OneShotLottery(epochs=-1), "`epochs`"),
        (lambda: tickets.IMP(rate=1), "`rate`"),
        (lambda: tickets.IMP(rate=1e-17), "`rate`"),
        (lambda: tickets.IMP(rewind_step=-1), "`rewind_step`"),
        (lambda: tickets.SmartRatioSearch({}, num_trials=0), "`num_trials`"),
    ],
)
def test_an_argument_out_of_range_is_refused(make, problem):
    with pytest.raises(ValueError, match=problem):
        make()


def test_a_last_layer_takes_at_most_two_thirds():
    with pytest.warns(
        UserWarning, match="two thirds of these connections, a density of"
    ):
        ticket = tickets.SmartRatio(last=0.9).find(MODEL, DATA, 0.15)
    kept = {name: mask.sum() for name, mask in ticket.masks.items()}
    assert sum(kept.values()) == round(0.15 * SIZE)
    assert kept["last"] == round(0.1 * SIZE)


def test_densities_are_chosen_on_examples_that_are_held_out(monkeypatch):
    finder = FINDERS["smart_ratio_search"]
    none = dataclasses.replace(DATA, validation=None)
    held = none.hold_out(6)
    assert (held.num_train, none.num_train) == (58, 64)
    rows = [
        {tuple(x) for batch, _ in data for x in batch.numpy()}
        for data in (
            none.train(0).take(4),
            held.train(0).take(held.steps_per_epoch),
            held.validation,
        )
    ]
    assert rows[1] | rows[2] == rows[0] and not rows[1] & rows[2]
    used = []
    hold_out = none.hold_out
    none = dataclasses.replace(
        none, hold_out=lambda num: used.append(num) or hold_out(num)
    )
    trainer = small.make_trainer(MODEL, none)
    ticket = finder.find(MODEL, none, 0.25, trainer=trainer)
    assert used == [6], "A tenth."
    assert len(ticket.history["val_accuracy"]) == 2


def test_densities_are_not_chosen_without_validation_data():
    finder = FINDERS["smart_ratio_search"]
    without = dataclasses.replace(DATA, validation=None, hold_out=None)
    with pytest.raises(ValueError, match="'largest' has no validation data"):
        finder.find(MODEL, without, 0.25)
    with pytest.raises(ValueError, match="a density for each of first, second"):
        dataclasses.replace(finder, centre={"first": 0.5}, tilts=()).find(
            MODEL, DATA, 0.25
        )


@pytest.mark.parametrize(
    ("dataset", "seed", "error", "problem"),
    [
        (np.zeros(3), 0, TypeError, "`data` must be arrays"),
        (DATA, 0.5, ValueError, "`seed` must be an integer"),
    ],
)
def test_other_arguments_are_checked(dataset, seed, error, problem):
    with pytest.raises(error, match=problem):
        tickets.SNIP().find(MODEL, dataset, 0.5, seed)


def test_layers_can_be_left_out_and_taken_in():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            keras.layers.DepthwiseConv2D(3, name="depthwise"),
            keras.layers.Conv2D(4, 3, name="conv"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, name="dense"),
        ]
    )
    ticket = tickets.Magnitude().find(
        model, DATA, 0.5, include=["depthwise"], exclude=["dense"]
    )
    assert set(ticket.masks) == {"depthwise", "conv"}
    assert {k.name for k in ticket.sparsify(model).kernels} == set(ticket.masks)


def test_a_ticket_of_another_architecture_is_refused():
    other = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(5, name="first")]
    )
    with pytest.raises(ValueError, match="same architecture.*second"):
        found("magnitude").sparsify(other)


def test_imp_rewinds_everything_to_the_beginning_or_to_a_step():
    cold, warm = found("imp"), found("imp warm")
    assert cold.weights is None
    for index in (4, 5):  # the moving mean and variance of normalization
        assert (warm.weights[index] != MODEL.get_weights()[index]).any()
    # Three steps of Adam move a weight by at most three learning rates.
    kernel = np.abs(warm.weights[0] - MODEL.get_weights()[0])
    assert 0 < kernel[warm.masks["first"]].max() < 0.04


class Stop(Exception):
    pass


@pytest.mark.few(4)
@pytest.mark.parametrize(
    "name",
    [
        "imp",
        "imp warm",
        "lr_rewinding",
        "one_shot_lottery",
        "smart_ratio_search",
    ],
)
@pytest.mark.parametrize("is_given", [True, False])
def test_short_rounds_lower_the_learning_rate_as_long_ones(
    name, is_given, monkeypatch
):
    """After 80 and 120 of 150 epochs, and so after 4.3 and 6.4 of 8."""
    model = small.network()
    schedule = learning_rates.Steps(0.1, [4 * 80, 4 * 120])
    model.compile(keras.optimizers.SGD(schedule), MODEL.loss)
    rates = []

    def stop(self, model, *args, **kwargs):
        rate = model.optimizer._learning_rate
        rates.extend(float(rate(step)) for step in (17, 18, 25, 26))
        raise Stop

    monkeypatch.setattr(Trainer, "__call__", stop)
    finder = dataclasses.replace(FINDERS[name], epochs=8)
    trainer = small.make_trainer(model, DATA, epochs=150) if is_given else None
    with pytest.raises(Stop):
        finder.find(model, DATA, 0.25, trainer=trainer)
    # The schedule of a model that is compiled for the rounds does not change.
    expected = [0.1, 0.01, 0.01, 0.001] if is_given else [0.1] * 4
    assert rates == pytest.approx(expected)


def test_learning_rate_rewinding_keeps_trained_weights():
    ticket = found("lr_rewinding")
    moved = np.abs(ticket.weights[0] - MODEL.get_weights()[0])
    assert moved[ticket.masks["first"]].max() > 0.05


def test_densities_are_tuned_with_the_weights_before_the_trials(monkeypatch):
    weights = []

    def score_model(network, *args):
        weights.extend(network.get_weights())
        return ScoreModel(network, *args)

    monkeypatch.setattr(smart_ratio_tuned, "ScoreModel", score_model)
    finder = tickets.SmartRatioTuned(FINDERS["smart_ratio_search"], epochs=1)
    finder.find(MODEL, DATA, 0.25, 0, small.make_trainer(MODEL, DATA))
    for one, two in zip(weights, MODEL.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_trial_that_ends_in_nan_is_not_the_best(monkeypatch):
    def train(self, model, subdir, *_):
        history = keras.callbacks.History()
        value = math.nan if subdir == "search/0" else 0.5
        history.history = {"val_accuracy": [value]}
        return history

    monkeypatch.setattr(Trainer, "__call__", train)
    ticket = FINDERS["smart_ratio_search"].find(
        MODEL, DATA, 0.25, 0, small.make_trainer(MODEL, DATA)
    )
    assert ticket.density > 0.25, "The centre has this density."


def test_what_is_found_after_training_has_the_trained_weights():
    """Its masks are those of the finder alone in the trained network."""
    name = "after_training by wanda"
    ticket, model = found(name), small.network()
    model.set_weights(ticket.weights)
    moved = np.abs(ticket.weights[0] - MODEL.get_weights()[0])
    assert moved.max() > 0.02
    trainer = small.make_trainer(model, DATA)
    alone = tickets.Wanda().find(model, DATA, 0.25, 0, trainer)
    for kernel, mask in alone.masks.items():
        np.testing.assert_array_equal(mask, ticket.masks[kernel])
    assert len(ticket.history["loss"]) == FINDERS[name].epochs


@pytest.mark.parametrize(
    "finder",
    [
        tickets.Random("uniform"),
        tickets.Magnitude(scope="layer", distribution="uniform"),
        tickets.Wanda(distribution="uniform"),
    ],
    ids=lambda finder: type(finder).__name__,
)
def test_the_first_layer_is_that_of_the_network(finder):
    ticket = finder.find(MODEL, DATA, 0.25, exclude="first")
    densities = [mask.mean() for mask in ticket.masks.values()]
    assert densities == pytest.approx([0.25, 0.25], abs=0.02)


def test_a_finder_after_training_must_be_one():
    with pytest.raises(TypeError, match=r"such as `Wanda\(\)`.*finder='wanda'"):
        tickets.AfterTraining("wanda")
    with pytest.raises(ValueError, match="'invert' does not apply to IMP"):
        tickets.AfterTraining(tickets.IMP()).validate_check("invert")


def test_the_rounds_are_in_the_history():
    history = found("imp").history
    assert len(history["density"]) == 6  # 0.8 ** 6 = 0.26
    assert history["density"][0] == 1.0
    assert len(history["val_accuracy"]) == 6


@pytest.mark.parametrize("name", ["gem_miner", "edge_popup gradual"])
def test_a_search_shows_the_sparsity_and_its_bound(name):
    history = found(name).history
    assert len(history["sparsity"]) == len(history["bound"]) == 4
    assert history["bound"][-1] == pytest.approx(0.75)
    for sparsity, bound in zip(
        history["sparsity"], history["bound"], strict=True
    ):
        assert sparsity >= bound - 1e-9


def test_gem_miner_drops_low_scores_at_the_end():
    # A strong regularization brings scores below one half.
    finder = tickets.GemMiner(0.05, period=1, epochs=8)
    trainer = small.make_trainer(MODEL, DATA)
    ticket = finder.find(MODEL, DATA, 0.5, trainer=trainer)
    assert ticket.density < 0.5
    for name, mask in ticket.masks.items():
        scores = ticket.scores[name]
        best = scores == scores.max()
        # The best of a layer stays.
        np.testing.assert_array_equal(mask, best | (scores >= 0.5))


def test_a_search_trains_scores_and_not_weights():
    ticket = found("gem_miner")
    for kernel, index in (("first", 0), ("second", 6), ("last", 8)):
        weight = ticket.weights[index]
        expected = (2 / weight.shape[0]) ** 0.5
        np.testing.assert_allclose(np.abs(weight), expected, rtol=1e-6)
        np.testing.assert_array_equal(
            np.sign(weight), np.sign(MODEL.get_weights()[index])
        )
        scores = ticket.scores[kernel]
        assert ((scores == -np.inf) | ((scores >= 0) & (scores <= 1))).all()


def test_the_model_of_scores_is_saved_and_comes_back(tmp_path):
    sparse = rigl_tf.sparsify(MODEL, rigl_tf.algorithms.Static(), sparsity=0.0)
    model = ScoreModel(sparse.network, RoundedScores(1e-4), seed=7)
    small.make_trainer(MODEL, DATA).compile(model)
    model.fit(DATA.train(0), steps_per_epoch=4, verbose=0, shuffle=False)
    model.save(tmp_path / "search.keras")
    again = keras.saving.load_model(tmp_path / "search.keras")
    x = next(iter(DATA.test))[0]
    np.testing.assert_array_equal(model(x), again(x))
    assert again.rule == model.rule
    assert [v.path for v in again.trainable_variables] == [
        v.path for v in model.trainable_variables
    ]
    assert len(again.trainable_variables) == 3, "Scores are trained alone."


@pytest.mark.few(1)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_search_skips_what_is_not_finite(bad):
    sparse = rigl_tf.sparsify(MODEL, rigl_tf.algorithms.Static(), sparsity=0.0)
    model = ScoreModel(sparse.network, RoundedScores(1e-4))
    small.make_trainer(MODEL, DATA).compile(model)
    before = [np.array(v) for v in model.weights]
    x, y = next(iter(DATA.test))
    with pytest.warns(UserWarning, match="skipped"):
        model.fit(x * bad, y, verbose=0)
    assert int(model.num_skipped) == 1
    for variable, value in zip(model.weights, before, strict=True):
        if variable.name not in ("step", "num_skipped", "num_skipped_last"):
            np.testing.assert_array_equal(variable, value)


def test_weights_of_the_model_are_searched_as_they_are():
    finder = tickets.GemMiner(period=1, weights="own")
    ticket = finder.find(
        MODEL, DATA, 0.3, trainer=small.make_trainer(MODEL, DATA)
    )
    np.testing.assert_array_equal(ticket.weights[0], MODEL.get_weights()[0])


def test_a_lottery_that_is_pruned_too_shortly_keeps_the_density():
    finder = tickets.OneShotLottery(epochs=1)
    with pytest.warns(UserWarning, match="No update"):
        ticket = finder.find(
            MODEL, DATA, 0.3, trainer=small.make_trainer(MODEL, DATA)
        )
    assert sum(m.sum() for m in ticket.masks.values()) == round(0.3 * SIZE)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (
            lambda: tickets.OneShotLottery(rigl_tf.algorithms.RigL()),
            "must be a `GradualPruning`",
        ),
        (lambda: tickets.SmartRatioTuned(start=3), "`start` must be a"),
        (lambda: tickets.GemMiner(optimizer="adam"), "number of steps"),
        (
            lambda: tickets.IMP().find(MODEL, DATA, 0.5, trainer=3),
            "`trainer` must be",
        ),
    ],
)
def test_an_argument_of_the_wrong_kind_is_refused(make, problem):
    with pytest.raises(TypeError, match=problem):
        make()


def test_random_connections_of_any_distribution_keep_the_density():
    for distribution in ("erdos_renyi_kernel", "erdos_renyi", "uniform"):
        ticket = tickets.Random(distribution).find(MODEL, DATA, 0.3)
        assert sum(m.sum() for m in ticket.masks.values()) == round(0.3 * SIZE)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_subclassed", [True, False])
def test_flow_that_ends_in_a_softmax_is_refused(is_subclassed, seed):
    """Some seeds have scores of rounding errors, and the others of 0."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(16, "relu"),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    if is_subclassed:
        model = Subclassed("softmax")
        model(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="Pass a network that returns logits"):
        tickets.SynFlow(1).find(model, DATA, 0.5)


@pytest.mark.parametrize("policy", ["float32", "float64"])
def test_flow_in_float64_needs_a_copy_or_the_dtype(policy):
    keras.config.set_dtype_policy(policy)
    model = Subclassed()
    model(np.zeros((1, 4)))
    finder = tickets.SynFlow(2, dtype="float64")
    if policy == "float64":
        assert finder.find(model, DATA, 0.5).density == 0.5
        return
    with pytest.raises(ValueError, match=r"set_dtype_policy\('float64'\)"):
        finder.find(model, DATA, 0.5)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["snip", "grasp", "prospr"])
def test_a_loss_may_be_named(name):
    """A function of that name gives one number for each example."""
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(inputs))
    model.compile("sgd", "sparse_categorical_crossentropy")
    named = FINDERS[name].find(model, DATA, 0.5)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy())
    made = FINDERS[name].find(model, DATA, 0.5)
    for kernel, mask in named.masks.items():
        np.testing.assert_array_equal(mask, made.masks[kernel])


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["snip", "prospr", "gem_miner"])
def test_there_may_be_a_single_output(name):
    ones = np.ones((3, 1))
    model = small.linear(np.eye(4, 3), ones, loss="binary_crossentropy")
    trainer = small.make_trainer(model, small.dataset(classes=2))
    ticket = FINDERS[name].find(model, trainer.dataset, 0.4, trainer=trainer)
    assert 0 < ticket.density <= 0.4


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["magnitude", "snip", "prospr", "grasp"])
def test_scores_that_are_all_zero_choose_nothing(name):
    model = small.linear(np.zeros((4, 3)), np.zeros((3, 3)))
    with pytest.raises(ValueError, match="only scores of 0"):
        FINDERS[name].find(model, DATA, 0.5)


def test_a_directory_of_another_search_is_refused(tmp_path):
    trainer = small.make_trainer(MODEL, DATA, directory=tmp_path)
    ticket = found("gem_miner")
    finder = FINDERS["gem_miner"]
    for _ in range(2):  # the second one only reads
        again = finder.find(MODEL, DATA, 0.25, trainer=trainer)
        for name, mask in ticket.masks.items():
            np.testing.assert_array_equal(mask, again.masks[name])
    other = dataclasses.replace(finder, regularization=0.5)
    with pytest.raises(
        ValueError, match="fingerprint was .*0.001.* and is .*0.5"
    ):
        other.find(MODEL, DATA, 0.25, trainer=trainer)


def test_ctrl_c_interrupts_a_search_that_has_no_directory():
    class Interrupted(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            signal.raise_signal(signal.SIGINT)

    model = small.network()
    trainer = small.make_trainer(model, DATA)
    # A background process may ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        trainer(trainer.compile(model), "search", callbacks=[Interrupted()])


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["snip", "grasp"])
def test_embeddings_are_scored_on_request(name):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Embedding(30, 5, name="table"),
            keras.layers.Flatten(),
            keras.layers.Dense(3, name="dense"),
        ]
    )
    words = np.arange(256).reshape(64, 4) % 30
    data = datasets.from_arrays(
        "words",
        train=(words, words[:, 0] % 3),
        test=(words, words[:, 0] % 3),
        num_classes=3,
    )
    ticket = FINDERS[name].find(model, data, 0.5, include=["table"])
    assert ticket.density == 0.5 and ticket.masks["table"].any()


def test_a_ticket_fits_a_model_whose_layers_keras_has_counted_on():
    def unnamed():
        return keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dense(3)]
        )

    first, second = unnamed(), unnamed()
    ticket = tickets.Magnitude().find(first, DATA, 0.5)
    sparse = ticket.sparsify(second)
    assert {k.name for k in sparse.kernels} != set(ticket.masks)
    for kernel, mask in zip(sparse.kernels, ticket.masks.values(), strict=True):
        np.testing.assert_array_equal(kernel.mask, mask)


def test_rounds_scale_the_loss_of_float16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small.network()
        ticket = tickets.IMP(0.4, epochs=1, rewind_step=2).find(
            model, DATA, 0.3, trainer=small.make_trainer(model, DATA)
        )
    finally:
        keras.config.set_dtype_policy(before)
    assert sum(m.sum() for m in ticket.masks.values()) == round(0.3 * SIZE)


@pytest.mark.parametrize("epochs", [-1, 1.5, "3"])
def test_epochs_that_cannot_be_counted_are_refused(epochs):
    with pytest.raises(ValueError, match="`epochs`.*Received: epochs="):
        tickets.IMP(epochs=epochs).find(
            MODEL, DATA, 0.5, trainer=small.make_trainer(MODEL, DATA)
        )


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["magnitude", "gem_miner"])
def test_any_integer_is_a_seed(name):
    assert 0 < found(name, seed=-1).density <= 0.25


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["snip", "gem_miner", "random"])
def test_a_subclassed_model_is_left_alone(name):
    model = Subclassed()
    model(np.zeros((1, 4)))
    model.hidden.set_masks([np.arange(32).reshape(4, 8) % 2 == 0])
    before = [np.array(v) for v in model.variables]
    trainable = len(model.trainable_weights)
    model.compile("sgd", MODEL.loss)
    ticket = FINDERS[name].find(
        model, DATA, 0.25, trainer=small.make_trainer(model, DATA)
    )
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert len(model.trainable_weights) == trainable
    sparse = ticket.sparsify(model)
    assert [int(np.sum(k.mask)) for k in sparse.kernels] == [8]


class Subclassed(keras.Model):
    def __init__(self, activation=None):
        super().__init__()
        self.hidden = rigl_tf.Sparse(keras.layers.Dense(8))
        self.head = keras.layers.Dense(3, activation)

    def call(self, x):
        return self.head(self.hidden(x))
