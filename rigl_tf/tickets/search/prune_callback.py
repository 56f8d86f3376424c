"""Callback that prunes at the end of epochs."""

import keras


class PruningCallback(keras.callbacks.Callback):
    """Prunes a `ScoreModel` after every few epochs.

    It adds to the logs the current `sparsity`, and its lower `bound`.

    Args:
        counts: List of integers, the connections to keep, one for each
            pruning.
        period: Integer, the number of epochs between two prunings.
        prune: Function of one of the counts.
    """

    def __init__(self, counts, period, prune):
        super().__init__()
        self._counts = counts
        self._period = period
        self._prune = prune

    def on_epoch_end(self, epoch, logs=None):
        times, rest = divmod(epoch + 1, self._period)
        if rest == 0 and 1 <= times <= len(self._counts):
            self._prune(self._counts[times - 1])
        size = self.model.size
        times = min(times, len(self._counts))
        if logs is not None:
            logs["sparsity"] = 1 - self.model.current_density()
            bound = self._counts[times - 1] if times else size
            logs["bound"] = 1 - bound / size
