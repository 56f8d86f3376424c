"""Sparse training of a small network in NumPy, after the papers.

It shares no code with the library. Random numbers are an argument.
"""

import dataclasses
import math

import numpy as np


def cubic(step, last):
    return 1 - (1 - min(step / last, 1)) ** 3


@dataclasses.dataclass(frozen=True)
class Rule:
    """An algorithm, as `Training` needs it.

    Attributes:
        drop: String, the criterion of the number to drop: the `"fraction"`
            of active connections; the `"threshold"` that weights are below;
            `"zero"`, which weights have crossed; the `"budget"` of the kernel;
            `"global"`, the budget of all kernels together; or `"nothing"`,
            if masks do not change. Budgets lose the fraction, too, if `share`
            is `"budget"`.
        grow: Tuple of strings, the criteria of growth. Each one selects an
            equal part of the new connections.
        share: String, how many connections each kernel grows: `"own"`, as
            many as it has dropped; in proportion to the mean magnitude of
            the `"gradient"`, the `"velocity"` of the optimizer or the running
            `"mean"` over active connections; in proportion to the number of
            `"survivors"`; as many as it has of the `"largest"` gradients of
            all kernels; as many as its `"budget"` lacks; or `"nothing"`.
        keep: String, the scores of the connections to keep: `"magnitude"`;
            `"sign"`, the weight times its first sign; `"mest"`; `"drawn"` by
            magnitude; `"movement"`; or `"saliency"`.
        drops_fraction: Boolean, whether the fraction counts.
        part: Function from the step and the last update to the part of the
            final sparsity that is reached.
        replaces_step: Boolean, whether an update replaces the optimizer step.
    """

    drop: str = "fraction"
    grow: tuple = ("random",)
    share: str = "own"
    replaces_step: bool = False
    keep: str = "magnitude"
    drops_fraction: bool = True
    part: object = cubic


RULES = {
    "static": Rule(drop="nothing"),
    "set": Rule(),
    "rigl": Rule(grow=("gradient",), replaces_step=True),
    "snfs": Rule(grow=("mean",), share="mean"),
    "rigl_sg": Rule("fraction", ("gradient",), "gradient", True),
    "rigl_sm": Rule("fraction", ("gradient",), "velocity", True),
    "dsr": Rule(drop="threshold", share="survivors"),
    "deepr": Rule(drop="zero", keep="sign"),
    "ggr": Rule("fraction", ("gradient", "random"), "largest", True),
    "ggr_set": Rule("fraction", ("random",), "largest", True),
    "ggr_rigl": Rule("fraction", ("gradient",), "largest", True),
    "set_rigl": Rule("fraction", ("gradient", "random"), "own", True),
    "gradual_pruning": Rule(drop="budget", share="nothing"),
    # From 0.5 to 0.6, in half of the time.
    "granet": Rule(
        "global",
        ("gradient",),
        "budget",
        part=lambda step, last: 5 / 6 + cubic(step, math.ceil(last / 2)) / 6,
    ),
    # The last of the updates is sparse.
    "movement_pruning": Rule("budget", share="nothing", keep="movement"),
    "saliency_pruning": Rule(
        "budget", share="nothing", replaces_step=True, keep="saliency"
    ),
    "ac_dc": Rule(
        "global",
        share="budget",
        part=lambda step, last: (last - step) // 3 % 2 == 0,
        drops_fraction=False,
    ),
    "mest": Rule(
        "budget", share="budget", keep="mest", part=lambda step, last: 1.0
    ),
    "chts": Rule(grow=("paths",), keep="drawn"),
}


class SGD:
    """SGD, with a velocity that includes the learning rate."""

    def __init__(self, rate, momentum=0.0, nesterov=False):
        self.rate, self.momentum, self.nesterov = rate, momentum, nesterov

    def start(self, weights):
        self.slots = [[np.zeros_like(w)] for w in weights]

    def step(self, weights, gradients):
        for weight, gradient, slots in zip(
            weights, gradients, self.slots, strict=True
        ):
            slots[0] = self.momentum * slots[0] - self.rate * gradient
            weight += (
                slots[0]
                if not self.nesterov
                else (self.momentum * slots[0] - self.rate * gradient)
            )


class Adam:
    """Adam, with the first and the second moment as slots."""

    def __init__(self, rate, beta_1, beta_2, epsilon):
        self.rate, self.betas, self.epsilon = rate, (beta_1, beta_2), epsilon
        self.steps = 0

    def start(self, weights):
        self.slots = [2 * [np.zeros_like(w)] for w in weights]

    def step(self, weights, gradients):
        self.steps += 1
        first, second = (1 - beta**self.steps for beta in self.betas)
        for weight, gradient, slots in zip(
            weights, gradients, self.slots, strict=True
        ):
            for i, beta in enumerate(self.betas):
                slots[i] = beta * slots[i] + (1 - beta) * gradient ** (i + 1)
            rate = self.rate * math.sqrt(second) / first
            weight -= rate * slots[0] / (np.sqrt(slots[1]) + self.epsilon)

    def skip(self):
        self.steps += 1


@dataclasses.dataclass
class Training:
    """A perceptron with masks, and its training.

    Attributes:
        rule: `Rule`.
        weights: List of arrays, kernels and biases in turn.
        masks: List of boolean arrays, one for each kernel.
        optimizer: `SGD` or `Adam`.
        chance: Object with the random numbers of kernel `i` at a step:
            `scores(i, step)`, `normal(i, step)`, `gumbel(i, step, stream)`,
            and `signs(i)` of weights that start inactive.
        interval, begin_step, end_step: Integers, the schedule of updates.
        fraction: Function from step to the drop fraction.
        budgets: List of integers, connections that pruning ends with.
        decay: Float, the factor of half the squared kernels in the loss.
        clip: Float, the largest norm of all gradients together.
        accumulation: Integer, the batches of an optimizer step.
        mean_decay: Float, of the running mean of the gradient.
        threshold: float32, the first threshold of weights.
        pull, temperature: Floats, the L1 term and the noise of DeepR; `pull`
            is also the weight of the gradient in MEST.
    """

    rule: Rule
    weights: list
    masks: list
    optimizer: object
    chance: object
    interval: int
    end_step: int
    fraction: object
    begin_step: int = 0
    budgets: tuple = ()
    decay: float = 0.0
    clip: float = math.inf
    accumulation: int = 1
    mean_decay: float = 0.9
    threshold: np.float32 = np.float32(0)
    pull: float = 0.0
    temperature: float = 0.0

    def __post_init__(self):
        self.step = self.num_updates = self.num_changed = 0
        self.overdue, self.sums, self.num_batches = False, 0.0, 0
        self.optimizer.start(self.weights)
        self.kernels = self.weights[::2]
        self.means = [np.zeros(k.shape, "float32") for k in self.kernels]
        self.signs = [
            np.where(k == 0, self.chance.signs(i), np.sign(k))
            for i, k in enumerate(self.kernels)
        ]

    def train(self, x, y):
        """Trains on a batch: applies gradients, moves connections or both."""
        found = self._gradients(x, y)
        if not all(np.all(np.isfinite(g)) for g in found):
            if self.accumulation == 1:
                self.overdue = self._is_due()
                self.step += 1
            return
        self.sums = [a + b for a, b in zip(self._sums(), found, strict=True)]
        self.num_batches += 1
        if self.num_batches < self.accumulation:
            return
        gradients = [g / self.accumulation for g in self._sums()]
        self.sums, self.num_batches = 0.0, 0
        is_due = self._is_due()
        if not (is_due and self.rule.replaces_step):
            self._apply(gradients)
        elif hasattr(self.optimizer, "skip"):
            self.optimizer.skip()
        if is_due:
            self.overdue = False
            self._move(gradients[::2])
        self.step += 1

    def _sums(self):
        return self.sums or [0.0] * len(self.weights)

    def _is_due(self):
        on_time = (
            self.step % self.interval == 0
            and 0 < self.step < self.end_step
            and self.step >= self.begin_step
        )
        return self.rule.drop != "nothing" and (on_time or self.overdue)

    def _gradients(self, x, y):
        """Returns the dense gradients of the mean cross entropy."""
        layers = list(zip(self.weights[::2], self.weights[1::2], strict=True))
        inputs = [x]
        for kernel, bias in layers:
            outputs = inputs[-1] @ kernel + bias
            inputs.append(np.maximum(outputs, 0))
        exps = np.exp(outputs - np.max(outputs, axis=1, keepdims=True))
        wanted = np.eye(outputs.shape[1])[y]
        back = (exps / np.sum(exps, axis=1, keepdims=True) - wanted) / len(x)
        gradients = []
        for (kernel, _), given in zip(
            layers[::-1], inputs[-2::-1], strict=True
        ):
            gradients = [given.T @ back, np.sum(back, axis=0), *gradients]
            back = (back @ kernel.T) * (given > 0)
        return gradients

    def _apply(self, dense):
        passed = list(dense)
        for i, (kernel, mask) in enumerate(
            zip(self.kernels, self.masks, strict=True)
        ):
            gradient = dense[2 * i] + self.decay * kernel
            if self.rule.drop == "zero":
                rate = self.optimizer.rate
                walk = math.sqrt(2 * rate * self.temperature)
                walk = walk * self.chance.normal(i, self.step)
                gradient += self.pull * self.signs[i] - walk / rate
            passed[2 * i] = gradient * mask
        norm = math.sqrt(sum(np.sum(g**2) for g in passed))
        passed = [
            g * self.clip / norm if norm > self.clip else g for g in passed
        ]
        if self.rule.keep == "movement":
            for i, mean in enumerate(self.means):
                mean -= dense[2 * i] * self.kernels[i]
        self.optimizer.step(self.weights, passed)
        for i, mean in enumerate(self.means):
            if self.rule.keep == "movement":
                continue
            mean[:] = (
                self.mean_decay * mean + (1 - self.mean_decay) * dense[2 * i]
            )

    def _move(self, gradients):
        """Drops and grows connections."""
        values = {
            "gradient": [np.abs(gradient) for gradient in gradients],
            "mean": [np.abs(mean) for mean in self.means],
            "velocity": [slots[0] for slots in self.optimizer.slots[::2]],
            "random": [
                self.chance.scores(i, self.step)
                for i in range(len(self.kernels))
            ],
        }
        before = self.masks
        active = [int(np.sum(mask)) for mask in before]
        drops = [
            min(number, a - 1)
            for number, a in zip(
                self._num_drop(active, gradients), active, strict=True
            )
        ]
        kept = [
            highest(self._strength(i, gradients), mask, np.sum(mask) - drop)
            for i, (mask, drop) in enumerate(zip(before, drops, strict=True))
        ]
        values["paths"] = [
            log(paths_of_three(mask)) + self.chance.gumbel(i, self.step, 1)
            for i, mask in enumerate(kept)
        ]
        grows = self._num_grow(kept, drops, values)
        self.masks = [
            grown(mask, [values[name][i] for name in self.rule.grow], grows[i])
            for i, mask in enumerate(kept)
        ]
        for i, kernel in enumerate(self.kernels):
            stayed = before[i] & self.masks[i]
            if self.rule.drop == "zero":  # a weight never has a wrong sign
                stayed = stayed & (kernel * self.signs[i] >= 0)
            kernel *= stayed
            for j, slot in enumerate(self.optimizer.slots[2 * i]):
                self.optimizer.slots[2 * i][j] = slot * stayed
            self.num_changed += int(np.sum(self.masks[i] & ~before[i]))
        self.num_updates += 1
        self._adapt(active, sum(drops))

    def _strength(self, i, gradients):
        kernel = self.kernels[i]
        done = (self.step - self.begin_step) / (self.end_step - self.begin_step)
        largest = np.max(np.abs(kernel))
        return {
            "drawn": log((np.abs(kernel) / largest) ** (1 + 2 * done))
            + self.chance.gumbel(i, self.step, 0),
            "magnitude": np.abs(kernel),
            "sign": kernel * self.signs[i],
            "movement": self.means[i],
            "saliency": np.abs(kernel * gradients[i]),
            "mest": np.abs(kernel) + self.pull * np.abs(gradients[i]),
        }[self.rule.keep]

    def _num_drop(self, active, gradients):
        if self.rule.drop == "fraction":
            fraction = self.fraction(self.step)
            return [math.floor(fraction * a) for a in active]
        if self.rule.drop == "zero":
            pairs = zip(self.kernels, self.signs, strict=True)
            return [int(np.sum(k * s < 0)) for k, s in pairs]
        if self.rule.drop == "threshold":
            pairs = zip(self.kernels, self.masks, strict=True)
            return [
                int(np.sum(m & (np.abs(k.astype("float32")) < self.threshold)))
                for k, m in pairs
            ]
        last = (self.end_step - 1) // self.interval * self.interval
        done = self.rule.part(self.step, last)
        granted = [
            k.size - math.floor(done * (k.size - b) + 1e-6)
            for k, b in zip(self.kernels, self.budgets, strict=True)
        ]
        if self.rule.drop == "global" and sum(granted) <= sum(active):
            ranked = np.concatenate(
                [
                    self._strength(i, gradients).ravel()
                    for i in range(len(self.kernels))
                ]
            )
            active_now = np.concatenate([m.ravel() for m in self.masks])
            best = highest(ranked, active_now, sum(granted))
            ends = np.cumsum([k.size for k in self.kernels])[:-1]
            granted = [int(np.sum(part)) for part in np.split(best, ends)]
        self.granted = granted
        replaced = 0.0
        if self.rule.share == "budget" and self.rule.drops_fraction:
            replaced = self.fraction(self.step)
        return [
            a - b + math.floor(replaced * b)
            for a, b in zip(active, granted, strict=True)
        ]

    def _num_grow(self, kept, drops, values):
        share = self.rule.share
        if share == "budget":
            pairs = zip(self.granted, kept, strict=True)
            return [b - int(np.sum(mask)) for b, mask in pairs]
        if share in ("own", "nothing"):
            return drops if share == "own" else [0] * len(drops)
        if share == "largest":
            sizes = [
                np.where(m, -1, np.abs(g)).ravel()
                for m, g in zip(kept, values["gradient"], strict=True)
            ]
            every = np.concatenate(sizes)
            num = min(sum(drops), np.sum(every > 0))
            best = highest(every, every > 0, num)
            ends = np.cumsum([m.size for m in kept])[:-1]
            counts = [int(np.sum(part)) for part in np.split(best, ends)]
            if num == sum(drops):
                return counts
            # The rest as each has dropped.
            room = [np.sum(~m) - n for m, n in zip(kept, counts, strict=True)]
            rest = in_proportion(drops, sum(drops) - num, room)
            return [n + more for n, more in zip(counts, rest, strict=True)]
        survivors = [np.sum(mask) for mask in kept]
        parts = (
            survivors
            if share == "survivors"
            else [
                np.mean(np.abs(value)[mask])
                for value, mask in zip(values[share], kept, strict=True)
            ]
        )
        room = [m.size - s for m, s in zip(kept, survivors, strict=True)]
        return in_proportion(parts, sum(drops), room)

    def _adapt(self, active, dropped):
        wanted = self.fraction(self.step) * sum(active)
        if dropped < 0.9 * wanted:
            self.threshold = self.threshold * np.float32(2)
        elif dropped > 1.1 * wanted:
            self.threshold = self.threshold / np.float32(2)


def highest(scores, candidates, k):
    """Returns the mask of the `k` highest scores; earlier ones win ties.

    Scores are compared as 32-bit floats, as documented in `top_k_mask`.
    """
    places = np.flatnonzero(candidates)
    scores = scores.astype("float32" if scores.dtype.kind == "f" else "int64")
    order = np.argsort(-scores.ravel()[places], kind="stable")
    mask = np.zeros(scores.size, bool)
    mask[places[order[:k]]] = True
    return mask.reshape(scores.shape)


def grown(mask, scores, num):
    """Adds `num` connections to a mask, an equal part by each score."""
    for i, score in enumerate(scores):
        part = math.ceil(num / (len(scores) - i))
        mask = mask | highest(score, ~mask, part)
        num -= part
    return mask


def log(values):
    return np.log(np.maximum(values, 1e-37))


def paths_of_three(mask):
    """Returns CH2-L3n of all pairs of an input and an output, path by path."""
    scores = np.zeros(mask.shape)
    for links, found in ((mask, scores), (mask.T, scores.T)):
        for start, between in np.ndindex(len(links), len(links)):
            shared = np.sum(links[start] & links[between])
            others = np.sum(links[between] & ~links[start])
            if shared:
                found[start] += links[between] * (shared + 1) / max(others, 1)
    return scores


def in_proportion(parts, total, room):
    """Divides `total` in proportion to `parts`, within the room of each."""
    full, parts = np.zeros(len(room), bool), np.array(parts, float)
    room = np.array(room)
    while True:
        left = total - np.sum(room[full])
        due = np.where(full, 0, parts)
        due = due / np.sum(due) * left
        over = ~full & (due >= room)
        if not np.any(over):
            break
        full |= over
    shares = np.where(full, room, np.floor(due).astype(int))
    rest = highest(due - np.floor(due), ~full, total - np.sum(shares))
    return [int(share) for share in shares + rest]
