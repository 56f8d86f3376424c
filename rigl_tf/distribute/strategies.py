"""Distribution strategies: several devices, several machines, a TPU."""

import tensorflow as tf


def mirrored() -> tf.distribute.Strategy:
    """Returns a strategy for all GPUs, or else CPUs, of this machine."""
    devices = tf.config.list_logical_devices("GPU")
    devices = devices or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([d.name for d in devices])


def multi_worker() -> tf.distribute.Strategy:
    """Returns a strategy for all machines in the variable TF_CONFIG.

    Each machine runs the same command with its own TF_CONFIG. All use the same
    `--output_dir`, a directory that all machines can read.

    Raises:
        ValueError: If TF_CONFIG is not set.
    """
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if not resolver.cluster_spec():
        raise ValueError(
            "--strategy=multi_worker needs the environment variable "
            'TF_CONFIG, which is not set. Example: {"cluster": {"worker": '
            '["host1:2222", "host2:2222"]}, "task": {"type": "worker", '
            '"index": 0}}'
        )
    return tf.distribute.MultiWorkerMirroredStrategy(resolver)


def tpu() -> tf.distribute.Strategy:
    """Returns a strategy for all cores of a TPU, in bfloat16.

    Raises:
        ValueError: If no TPU is found.
    """
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
    except ValueError as error:
        raise ValueError(
            "--strategy=tpu found no TPU. Set the variable TPU_NAME, or run "
            f"on a TPU's host. TensorFlow's error: {error}"
        ) from error
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    return tf.distribute.TPUStrategy(resolver)


STRATEGIES = {
    "none": lambda: None,
    "mirrored": mirrored,
    "multi_worker": multi_worker,
    "tpu": tpu,
}


def has_several_workers(strategy: tf.distribute.Strategy | None) -> bool:
    """Returns whether several processes train the same model.

    Args:
        strategy: `tf.distribute.Strategy` or `None`.
    """
    return len(_workers(strategy)) > 1


def is_chief(strategy: tf.distribute.Strategy | None) -> bool:
    """Returns whether this process writes the files of the run.

    Args:
        strategy: `tf.distribute.Strategy` or `None`.
    """
    workers = _workers(strategy)
    if strategy is None or not workers:
        return True
    resolver = strategy.cluster_resolver
    return workers[0] == (resolver.task_type, resolver.task_id)


def _workers(strategy):
    """Returns pairs of task type and index, chief first; [] for one process."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return []
    cluster = strategy.cluster_resolver.cluster_spec().as_dict()
    return [
        (task_type, index)
        for task_type in ("chief", "worker")
        for index in range(len(cluster.get(task_type, ())))
    ]
