"""Faults and bad input: each is refused in words that help, or survived."""

import builtins
import functools
import json
import pathlib
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.analysis import flops
from rigl_tf.bin import train
from rigl_tf.gin_tools import config_files
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules
from tests import networks

NAN = float("nan")
X = np.random.default_rng(0).normal(size=(60, 16)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")


def sparse(model=None, algorithm="rigl", **kwargs):
    model = networks.sequential() if model is None else model
    kwargs.setdefault("sparsity", 0.5)
    kwargs.setdefault("schedule", schedules.UpdateSchedule(3, end_step=100))
    return rigl_tf.sparsify(model, algorithms.get(algorithm), **kwargs)


def compiled(model, **kwargs):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, **kwargs)
    return model


def fit(model, **kwargs):
    """Fifteen steps."""
    model.fit(X, Y, batch_size=4, verbose=0, **kwargs)
    return model


def counts(model):
    return [int(masks.count(kernel.mask)) for kernel in model.kernels]


def with_ones(model):
    """Somebody has set weights that the masks say are inactive."""
    for kernel in model.kernels:
        kernel.variable.assign(np.ones(kernel.variable.shape))
    return model


def quantized():
    model = keras.Sequential([keras.Input((4,)), kl.Dense(2)])
    model.layers[0].quantize("int8")
    return model


def with_lora():
    model = networks.sequential()
    model.layers[0].enable_lora(2)
    return model


def wrap_twice():
    layer = kl.Dense(16, name="shared")
    for wrapper in (rigl_tf.Sparse(layer), rigl_tf.Sparse(layer)):
        wrapper(X)


def monitor(model):
    fit(model, callbacks=[rigl_tf.SparsityMonitor()])


def collapsed():
    model = compiled(sparse(algorithm="static"))
    model.kernels[0].mask.assign(np.zeros((16, 24), bool))
    return model


def load_collapsed():
    collapsed().save("model.keras")
    keras.saving.load_model("model.keras")


def start_from(value, place):
    """Fits a model that has a value among the variables whose path ends so."""
    model = compiled(sparse(networks.functional()))
    variables = model.network.variables + model.optimizer.variables
    variable = next(v for v in variables if v.path.endswith(place))
    variable.assign(np.full(variable.shape, value))
    fit(model)


def fit_in_another_scope():
    model = compiled(sparse())
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        fit(model)


def stop_after_bad_steps():
    model = compiled(sparse())
    many = np.repeat(X * NAN, 2, axis=0), np.repeat(Y, 2)
    model.fit(*many, batch_size=1, verbose=0)


def set_mask(mask):
    layer = rigl_tf.Sparse(kl.Dense(2))
    layer.build((None, 3))
    layer.set_masks([mask])


def load_mask(mask):
    """Loads weights of which somebody has replaced the first mask."""
    model = sparse()
    model.save_weights("model.weights.h5")
    with h5py.File("model.weights.h5", "r+") as file:
        names = []
        file.visit(names.append)
        name = next(n for n in names if getattr(file[n], "dtype", 0) == "bool")
        del file[name]
        file[name] = mask
    model.load_weights("model.weights.h5")


def run(*lines, method="rigl", bindings=("SPARSITY = 0.9",)):
    """Starts a run that a file a.gin of these lines is part of."""
    pathlib.Path("a.gin").write_text("\n".join(lines))
    files = [
        config_files.find("tasks", "digits_mlp"),
        config_files.find("methods", method),
        "a.gin",
    ]
    train.run_one(files, bindings, "run", verbose=0)


def run_in_a_circle():
    pathlib.Path("b.gin").write_text("\ninclude 'a.gin'\n")
    run("include 'b.gin'")


IMPORTS = (
    "from __gin__ import dynamic_registration",
    "from rigl_tf import experiments",
)

# Importing Keras 2 and tfmot changes a process, so they have one.
KERAS_2 = """
import json

import keras
import rigl_tf
import tensorflow_model_optimization as tfmot
import tf_keras


def sparsify(model):
    return rigl_tf.sparsify(model, rigl_tf.algorithms.RigL(), sparsity=0.5)


class Optimizer(tf_keras.optimizers.SGD):
    pass


old = tf_keras.Sequential([tf_keras.layers.Dense(3, input_shape=(4,))])
pruned = tfmot.sparsity.keras.prune_low_magnitude(old)
new = sparsify(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]))
faults = {
    "model": lambda: sparsify(old),
    "pruned model": lambda: sparsify(pruned),
    "layer": lambda: rigl_tf.Sparse(old.layers[0]),
    "pruned layer": lambda: rigl_tf.Sparse(pruned.layers[0]),
    "optimizer": lambda: new.compile(tf_keras.optimizers.Adam()),
    "own optimizer": lambda: new.compile(Optimizer()),
}
errors = {}
for name, provoke in faults.items():
    try:
        provoke()
    except Exception as error:
        errors[name] = type(error).__name__, str(error)
print(json.dumps(errors))
"""


@functools.cache
def errors_with_keras_2():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KERAS_2],
        capture_output=True,
        cwd=pathlib.Path(rigl_tf.__file__).parent.parent,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def keras_2(name):
    """Raises what its process has raised."""
    errors = errors_with_keras_2()
    if name in errors:
        kind, message = errors[name]
        raise getattr(builtins, kind)(message)


FROM_KERAS_2 = r"of Keras 2 \(tf_keras\).*with `keras`.*set_weights.*"

# By number of the fault: what provokes it, the error or warning, and what of
# its message helps.
FAULTS = {
    "1-sparsity-negative": (
        lambda: sparse(sparsity=-0.1),
        ValueError,
        r"`sparsity` .* in \[0, 1\).*sparsity=-0.1",
    ),
    "1-sparsity-one": (
        lambda: sparse(sparsity=1.0),
        ValueError,
        r"`sparsity` .* in \[0, 1\).*sparsity=1.0",
    ),
    "1-sparsity-nan": (
        lambda: sparse(sparsity=NAN),
        ValueError,
        r"`sparsity` .* in \[0, 1\).*sparsity=nan",
    ),
    "1-sparsity-string": (
        lambda: sparse(sparsity="0.9"),
        ValueError,
        r"`sparsity` .* in \[0, 1\).*sparsity='0.9'",
    ),
    "1-sparsity-boolean": (
        lambda: sparse(sparsity=True),
        ValueError,
        r"`sparsity` .* in \[0, 1\).*sparsity=True",
    ),
    "1-sparsity-changing": (
        lambda: sparse(sparsity=schedules.PolynomialSparsity(0.9)),
        ValueError,
        r"`sparsity` must be a number.*Received.*GradualPruning",
    ),
    "1-sparsity-without-when": (
        lambda: sparse(algorithm="gradual_pruning", sparsity=lambda step: 0.5),
        TypeError,
        r"`sparsity` must return a pair, .*Received: 0.5",
    ),
    "2-begin-after-end": (
        lambda: schedules.UpdateSchedule(100, 9, 8),
        ValueError,
        "`begin_step` must not come after `end_step`.*begin_step=9, end_step=8",
    ),
    "2-checkpoint-without-with": (
        lambda: rigl_tf.Checkpoint("checkpoints").save(),
        ValueError,
        "needs a `with` block",
    ),
    "2-checkpoint-without-a-fit": (
        lambda: rigl_tf.Checkpoint("checkpoints").__enter__().save(),
        ValueError,
        "No `fit` has started with this `Checkpoint`.*`save` during `fit`",
    ),
    "2-checkpoint-never-due": (
        lambda: rigl_tf.Checkpoint("checkpoints", seconds=NAN),
        ValueError,
        r"`seconds` must be a number in \[0, inf\). Received: seconds=nan",
    ),
    "2-checkpoint-identity": (
        lambda: rigl_tf.Checkpoint("checkpoints", identity=["seed"]),
        TypeError,
        r"`identity` must be a dictionary. Received: identity=\['seed'\]",
    ),
    "2-checkpoint-changed": (
        lambda: rigl_tf.Checkpoint("checkpoints", changed=None),
        TypeError,
        "`changed` must be a list of names of facts. Received: changed=None",
    ),
    "2-checkpoint-callbacks": (
        lambda: rigl_tf.Checkpoint(
            "checkpoints", callbacks=keras.callbacks.TerminateOnNaN()
        ),
        TypeError,
        "`callbacks` must be a list of callbacks. Received: callbacks=<keras",
    ),
    "2-checkpoint-in-a-file": (
        lambda: (
            pathlib.Path("checkpoints").touch(),
            rigl_tf.Checkpoint("checkpoints").__enter__(),
        ),
        FileExistsError,
        "checkpoints must be a directory, and checkpoints is none. Choose",
    ),
    "2-restore-uncompiled": (
        lambda: rigl_tf.Checkpoint("checkpoints").restore(sparse()),
        ValueError,
        "has no optimizer yet. Call `model.compile` before",
    ),
    "2-restore-arrays": (
        lambda: rigl_tf.Checkpoint("checkpoints").restore(
            compiled(sparse()), (X, Y)
        ),
        TypeError,
        "`dataset` must be a `tf.data.Dataset` or `None`. .*dataset=tuple",
    ),
    "2-interval-zero": (
        lambda: schedules.UpdateSchedule(0),
        ValueError,
        "`interval` must be at least 1.*interval=0",
    ),
    "2-interval-open": (
        lambda: schedules.UpdateSchedule(None)(5),
        ValueError,
        "must have an `interval`.*Received: interval=None.*only `fit`",
    ),
    "2-interval-open-steps": (
        lambda: schedules.UpdateSchedule(None).steps(0, 5),
        ValueError,
        "must have an `interval`.*Received: interval=None.*only `fit`",
    ),
    "2-end-open": (
        lambda: schedules.resolve_steps(
            schedules.Cosine(), schedules.UpdateSchedule(10)
        ),
        ValueError,
        "`updates` must have an `end_step`.*Received: updates=.*only `fit`",
    ),
    "2-step-negative": (
        lambda: schedules.Cosine(begin_step=-1),
        ValueError,
        "`begin_step` must be at least 0.*begin_step=-1",
    ),
    "2-schedule-a-number": (
        lambda: sparse(schedule=0),
        ValueError,
        "`schedule` is the number of optimizer steps.*schedule=0",
    ),
    "2-structure-a-name": (
        lambda: sparse(structure="blocks"),
        TypeError,
        "`structure` must be of `rigl_tf.structures`.*structure='blocks'",
    ),
    "2-structure-of-chts": (
        lambda: sparse(
            algorithm="chts", structure=rigl_tf.structures.Blocks(2, 2)
        ),
        ValueError,
        r"the mask of a whole kernel.*structure=Blocks\(rows=2, columns=2\)",
    ),
    "2-structure-of-movement-pruning": (
        lambda: sparse(
            algorithm="movement_pruning",
            structure=rigl_tf.structures.Blocks(2, 2),
        ),
        ValueError,
        "MovementPruning needs the sign of every value.*structure=Blocks",
    ),
    "3-final-below-initial": (
        lambda: schedules.PolynomialSparsity(0.5, initial=0.8),
        ValueError,
        "initial=0.8, final=0.5.*`allow_decrease=True`",
    ),
    "4-fraction-above-one": (
        lambda: schedules.Cosine(1.5),
        ValueError,
        r"`initial` .* in \[0, 1\].*initial=1.5",
    ),
    "4-fraction-a-number": (
        lambda: sparse(drop_fraction=1.5),
        ValueError,
        r"`drop_fraction` must be a number in \[0, 1\].*drop_fraction=1.5",
    ),
    "4-threshold-infinite": (
        lambda: algorithms.DSR(threshold=float("inf")),
        ValueError,
        r"`threshold` must be a number in \(0, inf\). .*threshold=inf",
    ),
    "4-number-wanted-nan": (
        lambda: algorithms.DSR(num_wanted=NAN),
        ValueError,
        "`num_wanted` must be an integer of at least 1. .*num_wanted=nan",
    ),
    "4-period-nan": (
        lambda: rigl_tf.tickets.GemMiner(period=NAN),
        ValueError,
        "`period` must be an integer of at least 1. Received: period=nan",
    ),
    "4-flops-of-a-number": (
        lambda: flops.training(3, 1.0, 2.0),
        TypeError,
        "`algorithm` must be .*Received: algorithm=3",
    ),
    "4-flops-nan": (
        lambda: flops.training("rigl", NAN, 2.0),
        ValueError,
        r"`sparse` must be a number in \[0, inf\). Received: sparse=nan",
    ),
    "4-flops-interval": (
        lambda: flops.training("rigl", 1.0, 2.0, interval=-1),
        ValueError,
        "`interval` must be an integer of at least 1. Received: interval=-1",
    ),
    "5-nothing-left-of-a-layer": (
        lambda: sparse(sparsity=0.999, distribution=distributions.uniform),
        ValueError,
        r"(?s)Lower the sparsity, or .*`custom`.*layer +\| shape .*\(16, 24\)",
    ),
    "6-custom-unknown": (
        lambda: distributions.uniform(
            [(4, 4)], 0.5, names=["logits"], custom={"logit": 0.5}
        ),
        ValueError,
        "`custom` matches no layer.*'logit'. Layers: logits",
    ),
    "6-pattern-matches-nothing": (
        lambda: sparse(exclude=["conv*"]),
        ValueError,
        r"`exclude` matches no layer.*'conv\*'. Layers: dense",
    ),
    "6-include-unknown": (
        lambda: sparse(include=["table"]),
        ValueError,
        "`include` matches no layer.*'table'. Layers: dense",
    ),
    "6-exclude-a-layer": (
        lambda: sparse(exclude=[kl.Dense(2)]),
        ValueError,
        "`exclude` contains a layer that is not in the model.*exclude=<Dense",
    ),
    "6-custom-a-list": (
        lambda: distributions.uniform([(4, 4)], 0.5, custom=["layer_0"]),
        TypeError,
        r"`custom` must be a dictionary.*custom=\['layer_0'\]",
    ),
    "6-names-too-few": (
        lambda: distributions.uniform([(4, 4)] * 2, 0.5, names=["a"]),
        ValueError,
        r"`names` must be unique, one for each shape.*\['a'\] for 2 shapes",
    ),
    "6-names-twice": (
        lambda: distributions.budgets([(4, 4)] * 2, [0.5] * 2, names="aa"),
        ValueError,
        r"`names` must be unique.*\['a', 'a'\] for 2 shapes",
    ),
    "7-no-kernel": (
        lambda: rigl_tf.Sparse(kl.Dropout(0.5, name="drop")),
        TypeError,
        r"'drop' of type Dropout has no kernel.*`exclude=\['drop'\]`",
    ),
    "7-no-layer": (
        lambda: rigl_tf.Sparse("dense"),
        TypeError,
        r"`layer` must be a layer, such as `keras.*layer='dense'",
    ),
    "7-wrapped-already": (
        lambda: rigl_tf.Sparse(rigl_tf.Sparse(kl.Dense(2, name="a"))),
        TypeError,
        r"Layer 'a' is sparse already.*`exclude=\['a'\]`",
    ),
    "7-sparse-already": (
        lambda: sparse(sparse()),
        TypeError,
        r"is sparse already.*rigl_tf\.densify\(model\)",
    ),
    "7-quantized": (
        lambda: sparse(quantized()),
        TypeError,
        r"is quantized to int8.*before.*`exclude=\['dense",
    ),
    "7-lora": (
        lambda: sparse(with_lora()),
        TypeError,
        r"has LoRA enabled.*`exclude=\['dense",
    ),
    "7-every-layer-excluded": (
        lambda: sparse(exclude=["*"]),
        ValueError,
        "no layer to make sparse.*Layers: dense",
    ),
    "8-wrapped-twice": (
        wrap_twice,
        TypeError,
        "'shared' already has a `Sparse` wrapper. Call that wrapper wherever",
    ),
    "10-sparsify-unbuilt": (
        lambda: sparse(keras.Sequential([kl.Dense(2)], name="net")),
        ValueError,
        r"'net' has no weights yet.*`Input`.*build\(input_shape\)",
    ),
    "10-masks-unbuilt": (
        lambda: rigl_tf.Sparse(kl.Dense(2, name="a")).set_masks([]),
        ValueError,
        r"'a' has no kernels yet.*`build\(input_shape\)`",
    ),
    "10-attention-unbuilt": (
        lambda: rigl_tf.Sparse(kl.MultiHeadAttention(2, 3))(X, X),
        ValueError,
        r"takes several inputs.*`layer.build\(query_shape, value_shape\)`",
    ),
    "10-flops-unbuilt": (
        lambda: flops.inference(keras.Sequential([kl.Dense(2)], name="net")),
        ValueError,
        "'net' without an input shape. Pass `input_shape`",
    ),
    "10-steps-unknown": (
        lambda: compiled(
            sparse(schedule=schedules.UpdateSchedule(3))
        ).train_on_batch(X, Y),
        ValueError,
        "number of steps is unknown.*end_step=10_000",
    ),
    "11-monitor-of-a-dense-model": (
        lambda: monitor(compiled(networks.sequential())),
        ValueError,
        "`SparsityMonitor` needs a sparse model.*`rigl_tf.sparsify`, or leave",
    ),
    "14-pruning-ends-too-early": (
        lambda: fit(compiled(sparse(algorithm="gradual_pruning"))),
        UserWarning,
        r"ends at step 15.* reached .* of 0.16\d* instead of 0.5.*Train longer",
    ),
    "14-no-update-is-due": (
        lambda: fit(compiled(sparse(schedule=schedules.UpdateSchedule(100)))),
        UserWarning,
        "No update .* due in the 15 steps.*interval=100.*interval=2 .* be 5",
    ),
    "14-nothing-is-pruned": (
        lambda: fit(
            compiled(
                sparse(
                    algorithm="gradual_pruning",
                    schedule=schedules.UpdateSchedule(100),
                )
            )
        ),
        UserWarning,
        "No update .* due in the 15 steps.*so nothing is pruned.*interval=2 ",
    ),
    "15-model": (
        lambda: keras_2("model"),
        TypeError,
        f"The model is .* {FROM_KERAS_2}model=<tf_keras",
    ),
    "15-model-of-tfmot": (
        lambda: keras_2("pruned model"),
        TypeError,
        f"The model is .* {FROM_KERAS_2}model=<tf_keras",
    ),
    "15-layer": (
        lambda: keras_2("layer"),
        TypeError,
        f"The layer is .* {FROM_KERAS_2}layer=<tf_keras",
    ),
    "15-layer-of-tfmot": (
        lambda: keras_2("pruned layer"),
        TypeError,
        f"The layer is .* {FROM_KERAS_2}layer=<tensorflow_model_opt",
    ),
    "15-optimizer": (
        lambda: keras_2("optimizer"),
        TypeError,
        f"The optimizer is .* {FROM_KERAS_2}optimizer=<tf_keras",
    ),
    "15-optimizer-derived": (
        lambda: keras_2("own optimizer"),
        TypeError,
        f"The optimizer is .* {FROM_KERAS_2}optimizer=<__main__.Optimizer",
    ),
    "16-unknown-parameter": (
        lambda: run(*IMPORTS, "experiments.Task.epocs = 3"),
        ValueError,
        "parameter named 'epocs'. In file \"a.gin\", line 3 experiments.Task",
    ),
    "16-unknown-function": (
        lambda: run(*IMPORTS, "experiments.Tusk.epochs = 3"),
        ValueError,
        'experiments.Tusk.* In file "a.gin", line 3 experiments.Tusk.epochs',
    ),
    "16-unknown-module": (
        lambda: run("from rigl_tf import trainink"),
        ValueError,
        "No module named 'rigl_tf.trainink' In file \"a.gin\", line 1",
    ),
    "16-unused-macro": (
        lambda: run("", "EPOCS = 3"),
        ValueError,
        'EPOCS .* not used. .*EPOCHS[?].* In file "a.gin", line 2 EPOCS',
    ),
    "16-unset-macro": (
        lambda: run(bindings=()),
        ValueError,
        "SPARSITY has no value.*--set 'SPARSITY = .*sparse.gin\", line",
    ),
    "16-wrong-value": (
        lambda: run("", "EPOCHS = 1.5"),
        ValueError,
        '(?s)`epochs` must be an integer .*epochs=1.5.*In file "a.gin", line 2',
    ),
    "16-wrong-kind": (
        lambda: run(*IMPORTS, "experiments.Method.algorithm = 7"),
        TypeError,
        '(?s)`algorithm` must be .*algorithm=7.*In file "a.gin", line 3',
    ),
    "16-no-gin": (
        lambda: run("", "EPOCHS 3"),
        ValueError,
        r"expected ':' or '='. \(a.gin, line 2\)",
    ),
    "16-include-cycle": (
        run_in_a_circle,
        ValueError,
        'in a circle: a.gin. Remove one include. In file "b.gin", line 2',
    ),
    "16-include-missing": (
        lambda: run("include 'nope.gin'"),
        ValueError,
        'Unable to open file: nope.gin.* In file "a.gin", line 1',
    ),
    "16-file-missing": (
        lambda: train.run_one(["nope.gin"], [], "run"),
        ValueError,
        "Unable to open file: nope.gin. Searched",
    ),
    "16-no-method": (
        lambda: run(method="shared/sparse"),
        ValueError,
        "no method 'shared/sparse'. Methods: .*rigl",
    ),
    "18-made-outside-of-the-scope": (
        fit_in_another_scope,
        ValueError,
        "scope of a MirroredStrategy.*Create the network.*strategy.scope",
    ),
    "20-quantize-model": (
        lambda: sparse().quantize("int8"),
        ValueError,
        r"is sparse, .* `rigl_tf.densify\(model\)` first",
    ),
    "20-quantize-layer": (
        lambda: sparse().network.layers[0].quantize("int8"),
        ValueError,
        r"'dense.*' is sparse, .* `rigl_tf.densify\(model\)` first",
    ),
    "20-quantize-network": (
        lambda: sparse().network.quantize("int8", filters="dense"),
        ValueError,
        r"'dense.*' is sparse, .* `rigl_tf.densify\(model\)` first",
    ),
    "20-quantize-attention": (
        lambda: sparse(networks.attention()).network.quantize(
            "int8", filters="query"
        ),
        ValueError,
        r"'multi_head.*' is sparse, .* `rigl_tf.densify\(model\)` first",
    ),
    "21-bad-steps-in-a-row": (
        stop_after_bad_steps,
        FloatingPointError,
        "last 1[0-9]+ steps were NaN or infinite.*weights are from the last",
    ),
    "33-weight-nan": (
        lambda: start_from(NAN, "shared/kernel"),
        ValueError,
        "Received: 'shared/kernel' with NaN or infinite .* Load earlier",
    ),
    "33-bias-infinite": (
        lambda: start_from(np.inf, "shared/bias"),
        ValueError,
        "Received: 'shared/bias' with NaN or infinite .* Load earlier",
    ),
    "33-moving-average-nan": (
        lambda: start_from(NAN, "moving_mean"),
        ValueError,
        "needs finite weights. Received: 'batch_normalization.*/moving_mean'",
    ),
    "33-momentum-nan": (
        lambda: start_from(NAN, "shared_kernel_momentum"),
        ValueError,
        "needs finite weights. Received: 'adam.*/shared_kernel_momentum'",
    ),
    "34-mask-empty": (
        lambda: set_mask(np.zeros((3, 2), bool)),
        ValueError,
        "must have at least one connection",
    ),
    "34-mask-empty-in-a-file": (
        load_collapsed,
        ValueError,
        "'dense.*' must have at least one connection",
    ),
    "34-mask-empty-in-training": (
        lambda: monitor(collapsed()),
        ValueError,
        "'dense.*' has lost its last connection.*Lower the sparsity",
    ),
    "36-mask-of-floats": (
        lambda: set_mask(np.full((3, 2), 0.5)),
        ValueError,
        "must be boolean. Received: dtype=float64",
    ),
    "36-mask-of-integers": (
        lambda: set_mask(np.full((3, 2), 2)),
        ValueError,
        "must be boolean. Received: dtype=int64",
    ),
    "36-mask-of-another-shape": (
        lambda: set_mask(np.ones((2, 3), bool)),
        ValueError,
        r"must have shape \(3, 2\). Received: shape=\(2, 3\)",
    ),
    "36-masks-too-many": (
        lambda: sparse().network.layers[0].set_masks([True, True]),
        ValueError,
        "has 1 kernels, each with a mask. Received: 2 masks",
    ),
    "36-loaded-mask-of-floats": (
        lambda: load_mask(np.full((16, 24), 0.5)),
        ValueError,
        "must be boolean. Received: dtype=float64",
    ),
    "36-loaded-mask-of-another-shape": (
        lambda: load_mask(np.ones((24, 16), bool)),
        ValueError,
        r"must have shape \(16, 24\). Received: shape=\(24, 16\)",
    ),
}


@pytest.mark.few(5)
@pytest.mark.parametrize(
    ("provoke", "error", "helps"), FAULTS.values(), ids=FAULTS
)
def test_a_fault_is_refused_in_words_that_help(
    provoke, error, helps, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(error, match=helps):
        provoke()


def numbers_of_numpy():
    model = sparse(sparsity=np.float32(0.5), seed=np.int64(3))

    assert model.budgets == sparse(sparsity=0.5, seed=3).budgets
    assert type(model.get_config()["seed"]) is int


def one_shot_pruning():
    at_once = schedules.PolynomialSparsity(0.5, begin_step=6, end_step=6)
    model = compiled(sparse(algorithm="gradual_pruning", sparsity=at_once))

    fit(model)

    assert counts(model) == model.budgets
    assert sum(model.budgets) == 348  # half of 16 x 24 + 24 x 12 + 12 x 2


def fractions_below_0():
    for fraction in (-1.0, NAN):
        model = sparse(drop_fraction=lambda step: fraction)
        fit(compiled(model, run_eagerly=True))

        assert counts(model) == model.budgets
        assert int(model.num_changed) == 0


def fractions_above_1():
    model = fit(compiled(sparse(drop_fraction=lambda step: 2.0)))

    assert counts(model) == model.budgets
    assert int(model.num_changed) > 0


def a_density_above_1():
    shapes = [(2, 2), (100, 100)]

    sparsities = distributions.erdos_renyi_kernel(shapes, 0.9)

    # In proportion, 19.6 of 1,001 connections would go to the 4 places.
    assert sparsities[0] == 0.0
    assert distributions.budgets(shapes, sparsities) == [4, 997]


def a_shared_layer():
    names = [kernel.name for kernel in sparse(networks.functional()).kernels]

    assert names.count("shared") == 1


def a_nested_model():
    names = [kernel.name for kernel in sparse(networks.nested()).kernels]

    assert [name.split("/")[0] for name in names][0] == "block"


def training_without_callbacks():
    assert int(fit(compiled(sparse())).num_changed) > 0


def updates_in_the_middle_of_an_execution():
    updates = schedules.UpdateSchedule(4, end_step=100)
    model = compiled(sparse(schedule=updates), steps_per_execution=3)

    fit(model)

    assert int(model.step) == 15
    # Those at 4, 8 and 12 count, for learning rates.
    assert int(model.optimizer.iterations) == 15


def scores_that_are_all_equal():
    def updated(**kwargs):
        model = with_ones(compiled(sparse(), **kwargs))
        model.impose_masks()
        model.step.assign(3)
        model.train_on_batch(X * 0, Y)
        return model

    first, second = updated(), updated(run_eagerly=True)

    assert counts(first) == counts(second) == first.budgets
    for a, b in zip(first.kernels, second.kernels, strict=True):
        np.testing.assert_array_equal(a.mask, b.mask)
    # Of weights that are all 1, the last three tenths are dropped; where all
    # gradients are 0, the first places that are free are grown.
    mask = np.ravel(first.kernels[0].mask)
    assert mask[: int(0.3 * first.budgets[0])].all()


def inactive_weights_in_training():
    model = fit(with_ones(compiled(sparse(algorithm="static"))))

    for kernel in model.kernels:
        mask = np.asarray(kernel.mask)
        assert np.all(np.asarray(kernel.variable)[~mask] == 0)


def inactive_weights_in_a_plain_copy():
    model = with_ones(sparse())

    plain = rigl_tf.densify(model)

    kernels = [weight for weight in plain.get_weights() if weight.ndim == 2]
    assert [np.count_nonzero(kernel) for kernel in kernels] == model.budgets


def inactive_weights_in_counts():
    model = sparse()

    cost = flops.inference(with_ones(model)).flops()

    assert cost == 2 * sum(model.budgets)


# By number of the fault: what goes on as it should.
SURVIVED = {
    "1-sparsity-of-numpy": numbers_of_numpy,
    "2-end-is-begin": one_shot_pruning,
    "4-fraction-below-0": fractions_below_0,
    "4-fraction-above-1": fractions_above_1,
    "5-density-above-1": a_density_above_1,
    "8-shared-layer": a_shared_layer,
    "8-nested-model": a_nested_model,
    "11-no-callback": training_without_callbacks,
    "13-steps-per-execution": updates_in_the_middle_of_an_execution,
    "35-ties": scores_that_are_all_equal,
    "37-training": inactive_weights_in_training,
    "37-plain-copy": inactive_weights_in_a_plain_copy,
    "37-counts": inactive_weights_in_counts,
}


@pytest.mark.few(3)
@pytest.mark.parametrize("check", SURVIVED.values(), ids=SURVIVED)
def test_a_fault_is_survived(check):
    check()
