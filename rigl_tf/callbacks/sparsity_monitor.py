"""A callback that logs the state of the masks."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rigl_tf.analysis import flops
from rigl_tf.modeling.sparse_optimizer import find_sparse_step
from rigl_tf.typing import PathLike
from rigl_tf.utils import tensors


class SparsityMonitor(keras.callbacks.Callback):
    """Adds the state of the masks to the logs of every epoch.

    The progress bar and `History` show these values:

    - `sparsity`: fraction of zeros over all masked kernels.
    - `drop_fraction`: fraction of active connections that an update at this
      step would replace.
    - `updates`: updates of the masks in the epoch.
    - `changed`: connections grown in the epoch that were inactive before.
    - `kept`: fraction of the initially active connections that are active
      now.
    - `kept_by_chance`: the value of `kept` for random masks with the same
      numbers of connections.
    - `explored`: fraction of all connections that have ever been active.
    - `skipped`: steps in the epoch that changed nothing, because gradients
      were not finite.
    - `flops`: FLOPs of one forward pass relative to the dense model. Missing
      if the input shape of the model is unknown.

    For `explored`, the monitor reads the masks after every update; if
    `steps_per_execution` contains several updates, after the last.

    Args:
        log_dir: Directory of TensorBoard logs, in the groups `sparsity/`,
            `masks/` and `flops/`: the values above, the sparsity of every
            kernel, and its mask as an image. With `None`, nothing is written.

    Attributes:
        densities: Dictionary from the name of a kernel to its density after
            the last epoch.

    Raises:
        ValueError: During training, if the model is not sparse or a kernel has
            lost its last connection.

    Reference:
        [Liu et al., 2021](https://arxiv.org/abs/2102.02887) for `explored`,
        their in-time over-parameterization rate.

    Example:

    >>> monitor = rigl_tf.SparsityMonitor()
    >>> sparse = rigl_tf.sparsify(network, "set", sparsity=0.5)
    >>> sparse.compile("sgd", "sparse_categorical_crossentropy")
    >>> history = sparse.fit(x, y, verbose=0, callbacks=[monitor])
    >>> round(history.history["sparsity"][0], 2)
    0.5
    """

    def __init__(self, log_dir: PathLike | None = None) -> None:
        super().__init__()
        self.log_dir = log_dir
        self.densities = {}
        self._writer = None
        self._cost = None
        self._watched: Any = None
        self._first: list[np.ndarray] = []
        self._ever: list[np.ndarray] = []
        self._counts: dict[str, int] = dict.fromkeys(
            ("updates", "changed", "skipped"), 0
        )

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        del logs
        if find_sparse_step(self.model) is None:
            raise ValueError(
                "`SparsityMonitor` needs a sparse model. Received: "
                f"{self.model.name!r} without masks. Make it sparse with "
                "`rigl_tf.sparsify`, or leave the callback out."
            )
        self.start(self.model)
        try:
            self._cost = flops.inference(self.model)
        except ValueError:  # the input shape is not known
            self._cost = None
        if self.log_dir:
            self._writer = tf.summary.create_file_writer(str(self.log_dir))

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        del epoch, logs
        self._counts = self._counters()
        self._start = self._looked = tensors.as_int(self._watched.step)

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        del logs
        # By the schedule and not by a variable, which would have to be waited
        # for at every step.
        now = self._start + batch + 1
        if self._watched.algorithm.updates_masks:
            if self._watched.schedule.steps(self._looked, now):
                self._look()
        self._looked = now

    def _look(self):
        masks = self._masks()
        for ever, mask in zip(self._ever, masks, strict=True):
            ever |= mask
        return masks

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        model, masks = self._watched, self._look()
        names = [kernel.name for kernel in model.kernels]
        active = [_count([mask]) for mask in masks]
        sizes = [kernel.size for kernel in model.kernels]
        for name, count in zip(names, active, strict=True):
            if count == 0:
                raise ValueError(
                    f"Kernel {name!r} has lost its last connection and "
                    "cannot train any more. Lower the sparsity, or exclude "
                    "the layer."
                )
        self.densities = {
            name: count / size
            for name, count, size in zip(names, active, sizes, strict=True)
        }
        total = {"sparsity": 1 - sum(active) / sum(sizes)}
        changes = {
            "drop_fraction": model.current_drop_fraction(),
            **{
                n: count - self._counts[n]
                for n, count in self._counters().items()
            },
            **self._overlap(masks),
            "explored": _count(self._ever) / sum(sizes),
        }
        cost = {}
        if self._cost is not None:
            cost["flops"] = self._cost.recount(self.model).ratio()
        if logs is not None:
            logs.update({**total, **changes, **cost})
        if self._writer is not None:
            scalars = {
                "sparsity/all": total["sparsity"],
                **{f"sparsity/{n}": 1 - d for n, d in self.densities.items()},
                **{f"masks/{name}": value for name, value in changes.items()},
                **{"flops/inference": value for value in cost.values()},
            }
            with self._writer.as_default(step=epoch):
                for name, value in scalars.items():
                    tf.summary.scalar(name, value)
                for kernel in model.kernels:
                    tf.summary.image(
                        f"masks/kernel/{kernel.name}", _picture(kernel)
                    )
            self._writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        del logs
        if self._writer is not None:
            self._writer.close()

    def start(self, model: keras.Model) -> None:
        """Remembers the current masks as the first ones, unless it has some."""
        self.set_model(model)
        watched = find_sparse_step(model)
        if self._watched not in (None, watched):
            self._first = []  # the masks of another model
        self._watched = watched
        if not self._first:
            self._first = self._masks()
            self._ever = self._masks()
            self._counts = self._counters()

    def state(self) -> list[np.ndarray]:
        """Returns the state for `restore`, a list of arrays."""
        counts = np.array(list(self._counts.values()), np.int64)
        return [counts, *self._first, *self._ever]

    def restore(self, state: Sequence[np.ndarray]) -> None:
        """Continues from the `state` of another monitor."""
        counts, *masks = state
        self._counts = dict(zip(self._counts, counts.tolist(), strict=True))
        half = len(masks) // 2
        self._first = masks[:half]
        self._ever = [mask.copy() for mask in masks[half:]]  # are written to

    def _counters(self):
        model = self._watched
        return {
            "updates": tensors.as_int(model.num_updates),
            "changed": tensors.as_int(model.num_changed),
            "skipped": tensors.as_int(model.num_skipped),
        }

    def _masks(self):
        return [kernel.bits() for kernel in self._watched.kernels]

    def _overlap(self, masks):
        pairs = list(zip(self._first, masks, strict=True))
        total = _count(self._first)
        by_chance = sum(
            _count([first]) * _count([mask]) / kernel.size
            for kernel, (first, mask) in zip(
                self._watched.kernels, pairs, strict=True
            )
        )
        return {
            "kept": _count(first & mask for first, mask in pairs) / total,
            "kept_by_chance": by_chance / total,
        }


def _count(masks):
    return sum(int(np.bitwise_count(mask).sum()) for mask in masks)


def _picture(kernel):
    """Returns a mask as a grey image: rows are inputs, columns outputs."""
    picture = kernel.layout.matrix(kernel.mask).numpy()
    return picture[None, :, :, None].astype(np.uint8) * 255
