"""The hyper-parameters of the RigL papers, written down a second time.

The reproduction: Sundar & Dwaraknath (2021), section 4, appendix A, and
their code. The original: the flags of the code of Evci et al. (2020).
"""

import itertools

import gin
import pytest

from rigl_tf import papers
from rigl_tf.experiments import tuning
from rigl_tf.gin_tools import config_files
from rigl_tf.sparsity.schedules import UpdateSchedule
from tests.bin.test_papers import built

ITEMS = {
    name: papers.read(
        config_files.folder() / "papers" / name / "tables.toml"
    ).items
    for name in ("rigl_reproduction", "rigl_original")
}


def value(name):
    """A value of the configuration, of a macro too."""
    found = gin.query_parameter(name)
    if repr(found).startswith("%"):
        return gin.query_parameter(f"{repr(found)[1:]}/macro.value")
    if repr(found).startswith("@"):
        return repr(found).strip("@()").split(".")[-1]
    return found


# Batch, epochs, network, weight decay; rate, steps at which it falls, factor,
# warm-up; label smoothing; SGD with Nesterov's momentum 0.9 in all of them.
SGD = {
    "rigl_reproduction/cifar10": (
        *(128, 250, "wide_resnet", 5e-4),
        *(0.1, (30_000, 60_000), 1 / 5, 0, None),
    ),
    "rigl_reproduction/cifar100": (
        *(128, 250, "resnet50", 1e-4),
        # Every 20,000 steps after a warm-up of two epochs of 352.
        *(0.1, tuple(704 + 20_000 * i for i in (1, 2, 3, 4)), 1 / 5, 704, 0.1),
    ),
    "rigl_original/cifar10": (
        *(128, 250, "wide_resnet", 5e-4),
        *(0.1, (30_000, 60_000, 90_000), 1 / 5, 0, None),
    ),
    "rigl_original/imagenet_resnet50": (
        *(4096, 102, "resnet50", 1e-4),
        *(1.6, tuple(313 * e for e in (30, 70, 90)), 1 / 10, 0, 0.1),
    ),
    "rigl_original/imagenet_mobilenet_v1": (
        *(4096, 102, "mobilenet_v1", 1e-4),
        *(1.6, tuple(313 * e for e in (40, 75, 95)), 1 / 10, 313 * 8, 0.1),
    ),
}


@pytest.mark.parametrize("name", SGD)
def test_a_task_trains_as_its_paper_says(name):
    with built(name) as (task, _):
        optimizer = task.optimizer()
        rate = optimizer._learning_rate
        assert SGD[name] == (
            task.dataset.batch_size,
            task.epochs,
            value("models.with_weight_decay.model"),
            value("models.with_weight_decay.weight_decay"),
            rate.learning_rate,
            rate.milestones,
            pytest.approx(rate.factor),
            rate.warmup,
            getattr(task.loss, "smoothing", None),
        )
        assert type(optimizer).__name__ == "SGD"
        assert (optimizer.momentum, optimizer.nesterov) == (0.9, True)
        assert value("experiments.train.seed") == 0
        assert task.training_multiplier == 1


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (
            "rigl_reproduction/cifar10",
            {
                "datasets.cifar10.validation": 5000,
                "experiments.Task.name": "cifar10",
            },
        ),
        (
            "rigl_reproduction/cifar100",
            {
                "datasets.cifar100.validation": 5000,
                "models.resnet50.stem": "cifar",
                "experiments.SmallDense.multiples": {
                    "*_conv3": 4,
                    "*_shortcut": 4,
                },
            },
        ),
        (
            "rigl_original/cifar10",
            {"datasets.cifar10.validation": 0, "datasets.cifar10.std": None},
        ),
        (
            "rigl_original/imagenet_resnet50",
            {
                "models.with_weight_decay.depthwise": False,
                "models.resnet50.initializer": "lecun_normal",
            },
        ),
        (
            "rigl_original/imagenet_mobilenet_v1",
            {
                "models.with_weight_decay.depthwise": False,
                "models.mobilenet_v1.initializer": "lecun_normal",
            },
        ),
        (
            "rigl_original/characters",
            {
                "datasets.characters.path": None,
                "datasets.characters.length": 512,
                "datasets.characters.batch_size": 32,
                "experiments.Task.epochs": 100,
                "models.with_weight_decay.model": "gru",
                "models.with_weight_decay.weight_decay": 5e-4,
                "experiments.Task.optimizer": "Adam",
                "keras.optimizers.Adam.learning_rate": 7e-4,
                "keras.optimizers.Adam.clipvalue": 10.0,
            },
        ),
    ],
)
def test_what_a_task_sets_besides(task, expected):
    with built(task):
        assert {name: value(name) for name in expected} == expected


def test_longer_training_keeps_the_warm_up_of_cifar_100():
    with built(
        "rigl_reproduction/cifar100", "dense", "TRAINING_MULTIPLIER = 2"
    ) as (
        task,
        _,
    ):
        rate = task.scaled_optimizer()._learning_rate
        assert rate.warmup == 704
        assert rate.milestones == (40_704, 80_704, 120_704, 160_704)


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("rigl", "RigL()"),
        ("set", "SET()"),
        ("snfs", "SNFS(decay=0.9)"),
        ("static", "Static()"),
        ("rigl_sg", "RigLSG()"),
        ("rigl_sm", "RigLSM()"),
        ("rigl_reinit", "RigL()"),
        ("rigl_struct", "RigL()"),
        (
            "pruning",
            "GradualPruning(scope='global', initial_sparsity=0.0)",
        ),
    ],
)
def test_a_method_of_the_reproduction_has_its_settings(name, algorithm):
    path = f"rigl_reproduction/{name}"
    with built("rigl_reproduction/cifar10", path) as (_, method):
        begin = 700 if name == "pruning" else 0
        assert method.schedule == UpdateSchedule(100, begin, 65_918)
        assert method.drop_fraction.initial == 0.3
        assert method.drop_fraction.final == 0.0
        assert repr(method.algorithm) == algorithm
        assert method.distribution == "erdos_renyi_kernel"
        exclude = {"pruning": ["conv1"], "rigl_struct": ["logits"]}
        assert list(method.exclude) == exclude.get(name, [])
        structure = "Kernels2D" if name == "rigl_struct" else "Unstructured"
        assert type(method.structure).__name__ == structure
        assert method.reuse == "masks"


def test_lottery_is_the_mask_of_pruning_once():
    with built("rigl_reproduction/cifar10", "rigl_reproduction/lottery") as (
        _,
        method,
    ):
        finder = method.finder
        assert type(finder).__name__ == "OneShotLottery"
        assert finder.schedule == UpdateSchedule(100, 700, 65_918)
        assert finder.algorithm.scope == "global"
        assert finder.epochs is None  # as long as training
        assert list(method.exclude) == ["conv1"]
        assert method.optimizer is None  # as the task trains


def test_small_dense_rounds_down():
    path = "rigl_reproduction/small_dense"
    with built("rigl_reproduction/cifar10", path) as (_, method):
        assert method.rounding == "floor"


@pytest.mark.parametrize(
    "name", ["rigl", "set", "snfs", "static", "gradual_pruning"]
)
def test_a_method_of_the_original_has_its_settings(name):
    with built("rigl_original/cifar10", f"rigl_original/{name}") as (_, method):
        interval = 1000 if name == "gradual_pruning" else 100
        assert method.schedule == UpdateSchedule(interval, 0, None)
        assert method.schedule.end_fraction == 0.75
        assert method.drop_fraction.initial == 0.3
        assert method.distribution == "erdos_renyi_kernel"


def rows(paper, item):
    return ITEMS[paper][item].rows


def test_rows_of_the_original_end_and_prune_at_its_steps():
    for row in rows("rigl_original", "ResNet-50"):
        expected = set() if row.method in ("dense", "snip") else {"END_STEP"}
        assert expected <= set(row.set)
        assert row.set.get("END_STEP", "25000") == "25000"
    for row in rows("rigl_original", "MobileNet-v1")[1:]:
        assert row.set["END_STEP"] == "25000"
        assert row.set["experiments.Method.exclude"] == '["conv1"]'
    for row in rows("rigl_original", "WRN-22-2")[1:]:
        assert row.set["END_STEP"] == "75000"
        assert row.set["experiments.Method.exclude"] == '["conv1"]'
    pruned = rows("rigl_original", "ResNet-50")[-2].set
    assert (pruned["INTERVAL"], pruned["BEGIN_STEP"]) == ("2000", "10000")
    pruned = rows("rigl_original", "WRN-22-2")[-1].set
    assert (pruned["INTERVAL"], pruned["BEGIN_STEP"]) == ("1000", "20000")
    for row in rows("rigl_original", "GRU")[1:-1]:
        assert row.set == {
            "DISTRIBUTION": '"uniform"',
            "ALPHA": "0.1",
            "END_FRACTION": "1.0",
        }
    # From 1/4 to 3/4 of 100 epochs of 23 steps, 200 times as in the paper.
    assert rows("rigl_original", "GRU")[-1].set == {
        "INTERVAL": str(round(2300 / 200 + 0.5)),
        "BEGIN_STEP": str(2300 // 4),
        "END_FRACTION": "0.75",
    }


def test_all_pictures_take_a_third_fall_of_the_rate():
    for row in rows("rigl_reproduction", "Table 1"):
        assert row.set == {
            "VALIDATION": "0",
            "MILESTONES": "[30000, 60000, 90000]",
        }
        assert row.examples == 50_000
        assert row.sparsity in ((), (0.9, 0.8, 0.5))
    printed = [row.reported for row in rows("rigl_reproduction", "Table 1")]
    assert [p["original"] for p in printed] == [
        [94.1],
        [91.6, 92.9, 94.2],
        [93.3, 93.5, 94.1],
        [93.1, 93.8, 94.3],
    ]


def test_table_4_has_the_pairs_that_were_best():
    best = {
        (row.set.get("DISTRIBUTION"), *row.sparsity): (
            float(row.set["ALPHA"]),
            int(row.set["INTERVAL"]),
        )
        for row in rows("rigl_reproduction", "Table 4")
        if row.tuned
    }
    assert best == {
        ('"uniform"', 0.9): (0.197, 50),
        ('"uniform"', 0.8): (0.448, 150),
        ('"uniform"', 0.5): (0.459, 550),
        (None, 0.9): (0.416, 200),
        (None, 0.8): (0.381, 950),
        (None, 0.5): (0.287, 500),
    }


def test_figure_3_is_the_whole_grid():
    grid = itertools.product(
        (None, '"uniform"'),
        (0.1, 0.05, 0.01, 0.005),
        ((0.3, 100), (0.4, 200), (0.4, 500), (0.5, 750)),
    )
    there = [
        (
            row.set.get("DISTRIBUTION"),
            float(row.set["LEARNING_RATE"]),
            (float(row.set["ALPHA"]), int(row.set["INTERVAL"])),
        )
        for row in rows("rigl_reproduction", "Figure 3")
    ]
    assert len(there) == 32
    assert set(there) == set(grid)


def test_figure_4_has_the_sparsities_of_equal_flops():
    """The densities are 0.0584 and so on, and 0.0446 and so on."""
    erk = [
        row.sparsity
        for row in rows("rigl_reproduction", "Figure 4")
        if row.name == "ERK"
    ]
    assert erk == [(0.9416, 0.8832, 0.7134), (0.9554, 0.9107, 0.7044)]


def test_training_multipliers_are_in_the_rows_that_are_named_so():
    for paper, items in ITEMS.items():
        for item in items.values():
            for row in item.rows:
                times = next(
                    (n for n in "235" if f"{n}x" in row.name.split()), "1"
                )
                assert row.set.get("TRAINING_MULTIPLIER", "1") == times, (
                    paper,
                    row,
                )


def test_rows_are_uniform_or_erk_as_their_names_say():
    for item in ("Table 2", "Figure 1", "Table 3", "Table 5", "Table 7"):
        for row in rows("rigl_reproduction", item):
            layers = row.set.get("DISTRIBUTION")
            if row.method.split("/")[-1] in (
                *("dense", "small_dense", "pruning", "lottery", "rigl_reinit"),
            ):
                assert layers is None
            elif "(ERK)" in row.name:
                assert layers is None
            elif row.name == "RigL-struct":
                assert layers == '"uniform_all"'
            else:
                assert layers == '"uniform"', row


def test_the_study_of_the_reproduction_has_its_ranges():
    study = tuning.read("rigl_reproduction/updates")

    assert study.ranges == {"ALPHA": (0.1, 0.6), "INTERVAL": (50, 1000, 50)}
    assert (study.num_trials, list(study.seeds)) == (15, [0, 1, 2])
    assert list(study.sparsities) == [0.9, 0.8, 0.5]
    assert list(study.distributions) == ["uniform", "erdos_renyi_kernel"]
    assert study.sampler_seed == 123
    assert study.task == "rigl_reproduction/cifar10"
    assert study.method == "rigl_reproduction/rigl"
