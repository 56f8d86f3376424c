"""Values of Rare Gems, copied from the paper and not from `tables.toml`."""

# Tables 8 to 14: the density in per cent, the pruning period, the optimizer,
# its learning rate and lambda.
SEARCHES = {
    "Table 8": (
        "resnet20",
        ("50", 8, "SGD", 0.05, 1e-8),
        ("13.74", 5, "SGD", 0.1, 1e-5),
        ("3.73", 5, "SGD", 0.1, 3e-5),
        ("1.44", 5, "SGD", 0.1, 1e-4),
        ("0.59", 5, "SGD", 0.1, 1e-4),
    ),
    "Table 9": (
        "mobilenet_v2",
        ("50", 5, "SGD", 0.05, 0),
        ("20", 5, "SGD", 0.1, 3e-6),
        ("5", 5, "SGD", 0.1, 7e-6),
        ("1.44", 5, "SGD", 0.1, 1e-4),
    ),
    "Table 10": (
        "vgg16",
        ("50", 5, "SGD", 0.01, 0),
        ("5", 5, "SGD", 0.01, 1e-6),
        ("2.5", 5, "SGD", 0.01, 1e-6),
        ("1.4", 5, "SGD", 0.01, 1e-6),
        ("0.5", 5, "SGD", 0.01, 1e-6),
    ),
    "Table 11": (
        "wrn28",
        ("50", 5, "SGD", 0.1, 0),
        ("20", 10, "SGD", 0.1, 1e-5),
        ("5", 10, "SGD", 0.1, 1e-5),
        ("1.44", 10, "SGD", 0.1, 1e-5),
        ("0.5", 10, "SGD", 0.1, 1e-5),
    ),
    "Table 12": (
        "tiny_resnet18",
        ("50", 10, "SGD", 0.1, 0),
        ("5", 5, "SGD", 0.001, 8e-6),
        ("1.4", 5, "SGD", 0.001, 5e-6),
        ("0.5", 5, "SGD", 0.001, 1e-5),
    ),
    "Table 13": (
        "tiny_resnet50",
        ("50", 5, "Adam", 0.01, 0),
        ("5", 5, "Adam", 0.01, 1e-6),
        ("1.4", 5, "Adam", 0.01, 1e-6),
        ("0.5", 5, "Adam", 0.01, 1e-6),
    ),
    "Table 14": (
        "resnet50_caltech101",
        ("50", 5, "Adam", 0.01, 0),
        ("5", 5, "Adam", 0.01, 1e-6),
        ("1.4", 5, "Adam", 0.01, 1e-6),
        ("0.5", 5, "Adam", 0.01, 1e-6),
    ),
}

# Table 15: epochs, batch size, learning rate and the epochs of milestones, and
# the learning rate at 50 % where that is another one.
TRAINING = {
    "resnet20": (150, 128, 0.01, (80, 120), 0.1),
    "mobilenet_v2": (300, 128, 0.1, (150, 250)),
    "vgg16": (200, 128, 0.05, (100, 150)),
    "wrn28": (150, 128, 0.01, (80, 120), 0.1),
    "tiny_resnet18": (200, 256, 0.1, (100, 150)),
    "tiny_resnet50": (150, 256, 0.1, (80, 120)),
    "resnet50_caltech101": (50, 16, 1e-4, (20, 40)),
}

# Appendix A.1: training images. CIFAR-10 has 50,000;
# Caltech-101 60 % of 8,677.
IMAGES = {
    "tiny_resnet18": 100_000,
    "tiny_resnet50": 100_000,
    "resnet50_caltech101": 5_206,
}

# What other tables and figures print of their rows: the density in per cent
# and accuracies. Table 2 says 3.72 %, of the network of Table 8.
PRINTED = {
    ("Table 2", "ProsPr"): (
        "5",
        {"accuracy": 82.67, "shuffle": 82.15, "reinitialize": 81.64},
    ),
    ("Table 2", "Gem-Miner"): (
        "3.73",
        {"accuracy": 83.4, "shuffle": 78.73, "reinitialize": 78.6},
    ),
    ("Table 3", "Edge-Popup"): ("0.59", {"before": 19.57, "accuracy": 24.47}),
    ("Table 3", "global"): ("0.59", {"before": 22.22, "accuracy": 34.42}),
    ("Table 3", "and gradual"): ("0.59", {"before": 31.56, "accuracy": 63.54}),
    ("Table 3", "and regularized"): (
        "0.59",
        {"before": 19.67, "accuracy": 63.72},
    ),
    ("Table 3", "Gem-Miner"): ("0.59", {"before": 45.3, "accuracy": 66.15}),
    ("Table 4", "Gem-Miner, 300 epochs"): ("1.44", {"accuracy": 77.89}),
    ("Table 4", "Long Gem-Miner"): ("1.44", {"accuracy": 79.5}),
    ("Table 4", "IMP, warm"): ("1.44", {"accuracy": 74.52}),
    ("Table 4", "learning-rate rewinding"): ("1.44", {"accuracy": 80.21}),
    ("Table 16", "Gem-Miner"): ("1.44", {"accuracy": 77.89}),
    ("Table 16", "version 1"): ("1.44", {"accuracy": 65.61}),
    ("Table 16", "version 2"): ("1.44", {"accuracy": 68.59}),
    ("Table 16", "version 3"): ("1.44", {"accuracy": 69.78}),
    ("Table 16", "version 4"): ("1.44", {"accuracy": 69.92}),
    ("Table 16", "version 5"): ("1.44", {"accuracy": 69.01}),
    ("Table 16", "version 6"): ("1.44", {"accuracy": 69.08}),
    ("Figure 2", "lambda 1.5e-5"): (
        "1.4",
        {"before": 84.62, "accuracy": 87.37},
    ),
}

# What the text says of searches: sections 3, 4.3 and B, Figures 2, 9 and 10.
FINDERS = {
    ("Figure 2", "lambda 0"): {"regularization": 0, "period": None},
    ("Figure 2", "lambda 3e-6"): {"regularization": 3e-6, "period": 5},
    ("Figure 2", "lambda 7e-6"): {"regularization": 7e-6, "period": 5},
    ("Figure 2", "lambda 1.5e-5"): {"regularization": 1.5e-5, "period": 5},
    ("Figure 5", "lambda 1.5e-5"): {"regularization": 1.5e-5, "period": 5},
    ("Figure 9", "Gem-Miner, rate 0.01"): {"rate": 0.01},
    ("Figure 9", "Gem-Miner, rate 1e-3"): {"rate": 1e-3},
    ("Figure 9", "Gem-Miner, rate 1e-4"): {"rate": 1e-4},
    ("Figure 9", "Gem-Miner, rate 1e-5"): {"rate": 1e-5},
    ("Figure 10", "short, cold"): {"epochs": 8, "rewind_step": 0},
    ("Figure 10", "short, warm"): {"epochs": 8, "rewind_step": 1000},
    ("Figure 10", "long, cold"): {"epochs": 160, "rewind_step": 0},
    ("Figure 10", "long, warm"): {"epochs": 160, "rewind_step": 1000},
    ("Table 3", "Edge-Popup"): {"scope": "layer", "regularization": 0},
    ("Table 3", "global"): {"scope": "global", "period": None},
    ("Table 3", "and gradual"): {"scope": "global", "regularization": 0},
    ("Table 4", "Long Gem-Miner"): {"epochs": 3000, "period": 150},
    ("Table 4", "IMP, warm"): {"epochs": None, "rate": 0.2},
    ("Table 16", "version 1"): {"first": None, "last": 0.3},
    ("Table 16", "version 3"): {"first": 1, "last": 1},
}

# What the authors recorded of ResNet-20 at 1.44 %: the connections that IMP
# kept of each layer, and Gem-Miner of the first and the last.
SIZES = [432, *[2304] * 6, 4608, *[9216] * 5, 18432, *[36864] * 5, 640]
IMP = [
    194, 244, 227, 201, 179, 182, 166, 285, 300, 308,
    221, 186, 158, 217, 171, 124, 128, 116, 81, 172,
]  # fmt: skip
GEM_MINER = (149 / 432, 166 / 640)
