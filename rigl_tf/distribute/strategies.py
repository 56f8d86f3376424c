"""Where a run computes: on one device, on several, in several processes."""

import tensorflow as tf


def mirrored():
    """Every GPU of this machine, or every logical CPU if it has none."""
    devices = tf.config.list_logical_devices("GPU")
    devices = devices or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([d.name for d in devices])


def multi_worker():
    """Every GPU of every machine that the variable TF_CONFIG names.

    Each machine runs the same command with its own TF_CONFIG; their
    `--output_dir` is one directory that all can read.

    Raises:
        ValueError: If TF_CONFIG is not set.
    """
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if not resolver.cluster_spec():
        raise ValueError(
            "--strategy=multi_worker reads the variable TF_CONFIG, which is "
            'not set. Such as: {"cluster": {"worker": ["host1:2222", '
            '"host2:2222"]}, "task": {"type": "worker", "index": 0}}'
        )
    return tf.distribute.MultiWorkerMirroredStrategy(resolver)


def tpu():
    """Every core of the TPU that the environment names, in bfloat16.

    Raises:
        ValueError: If there is none.
    """
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
    except ValueError as error:
        raise ValueError(
            "--strategy=tpu found no TPU. Set the variable TPU_NAME, or run "
            f"on a TPU's host. TensorFlow says: {error}"
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


def has_several_workers(strategy):
    """Whether other processes train the same model.

    Args:
        strategy: `tf.distribute.Strategy` or `None`.
    """
    return len(_workers(strategy)) > 1


def is_chief(strategy):
    """Whether this process is the one that writes.

    Args:
        strategy: `tf.distribute.Strategy` or `None`.
    """
    workers = _workers(strategy)
    if not workers:
        return True
    resolver = strategy.cluster_resolver
    return workers[0] == (resolver.task_type, resolver.task_id)


def _workers(strategy):
    """Pairs of type and number, the chief first; none of a single process."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return []
    cluster = strategy.cluster_resolver.cluster_spec().as_dict()
    return [
        (kind, number)
        for kind in ("chief", "worker")
        for number in range(len(cluster.get(kind, ())))
    ]
