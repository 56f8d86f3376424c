"""Collection of a run's results into its record."""

import pathlib

from rigl_tf import results
from rigl_tf.analysis import flops
from rigl_tf.analysis.model_summary import summary
from rigl_tf.experiments import provenance
from rigl_tf.experiments import run_costs
from rigl_tf.results import record_schema
from rigl_tf.sparsity import distributions


def identity(task, method, seed):
    """Returns the fields of a record that tell runs apart."""
    return {
        "task": task.name,
        "method": "dense" if method is None else method.name,
        "sparsity": 0.0 if method is None else float(method.sparsity),
        "training_multiplier": task.training_multiplier,
        "seed": seed,
    }


def check_is_of(record, directory, task, method, seed):
    """Raises a FileExistsError if a finished run is another one."""
    for name, wanted in identity(task, method, seed).items():
        found = getattr(record, name)
        if found != wanted:
            raise FileExistsError(
                f"{directory} contains a finished run with {name}={found!r}. "
                f"Received: {name}={wanted!r}. Choose another directory."
            )


def build(task, method, seed, model, trained, test, settings, search=None):
    """Builds the record of a finished run.

    Args:
        task: `Task`.
        method: `Method`, `TicketMethod`, `SmallDense` or `None`.
        seed: Integer.
        model: The trained model.
        trained: `TrainingResult`.
        test: Dictionary from metric to its value on the test set.
        settings: Dictionary, as in `Record`.
        search: Dictionary, the history of the ticket search, or `None`.

    Returns:
        `Record`.
    """
    cost = flops.inference(model)
    masked = hasattr(model, "kernels")
    dense = cost if method is None or masked else _cost_of_dense(task)
    inference, inference_dense = cost.flops(), dense.flops(dense=True)
    run = run_costs.run_cost(
        cost if masked else dense,
        task,
        method,
        task.dataset.num_train,
        trained.history.get("flops", [inference / inference_dense]),
        search and search.get("flops"),
    )
    examples = task.dataset.num_train * task.epochs
    return results.Record(
        **identity(task, method, seed),
        distribution=_distribution(method),
        test=test,
        history=trained.history,
        densities={k.name: 1 - k.sparsity for k in cost.kernels if k.sparse},
        structure=_structure(model) if masked else {},
        parameters={
            "active": cost.parameters(),
            "dense": dense.parameters(dense=True),
        },
        flops={
            "inference": inference,
            "inference_dense": inference_dense,
            "search": run.search / examples,
            "training": run.training / examples,
            "training_dense": 3.0 * inference_dense,
            "convention": "macs2",
        },
        steps=task.total_epochs * task.dataset.steps_per_epoch,
        seconds=trained.seconds,
        versions=provenance.versions(),
        device=provenance.device(),
        settings=settings,
        provenance=provenance.describe(),
    )


def _distribution(method):
    if getattr(method, "source", None):
        source = pathlib.Path(method.source) / results.RECORD
        return results.read(source).distribution
    given = getattr(method, "distribution", "")
    if not given:
        return ""
    function = distributions.get(given)
    function = getattr(function, "func", function)  # inside a partial
    return getattr(function, "__name__", str(function))


def _cost_of_dense(task):
    return flops.inference(
        task.model(task.dataset.input_shape, task.dataset.num_classes)
    )


def _structure(model):
    """Returns the mask statistics of every masked kernel."""
    return {
        kernel.name: {
            name: getattr(kernel, name) for name in record_schema.KERNEL
        }
        for kernel in summary(model).kernels
    }
