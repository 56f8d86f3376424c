"""Finds the last valid checkpoint of a run."""

import warnings
from typing import Any
from typing import NamedTuple

from rigl_tf.callbacks import checkpoint_files
from rigl_tf.callbacks import run_identity
from rigl_tf.callbacks.training_state import Facts


class Found(NamedTuple):
    """A checkpoint that fits.

    Attributes:
        facts: `Facts`.
        arrays: List of arrays, in the order of `Snapshot.specs`.
        changes: List of strings, the accepted differences between the runs.
    """

    facts: Facts
    arrays: Any
    changes: list[str]


def last_valid(directory, snapshot, identity, changed, has_data):
    """Reads the last valid checkpoint; warns about those after it.

    Args:
        directory: Path.
        snapshot: `Snapshot` of the model that resumes.
        identity: Dictionary, the facts of the run that resumes.
        changed: List of strings, names of facts that may differ.
        has_data: Boolean, whether the snapshot has the variables that training
            adds within an epoch.

    Returns:
        `Found`, or `None` if the directory has no checkpoint.

    Raises:
        ValueError: If the directory has checkpoints and none can be used.
    """
    problems = []
    for path in reversed(checkpoint_files.paths(directory)):
        hint = ""
        try:
            values = checkpoint_files.read_facts(path)
            facts = Facts.of(values)
            if facts.batch and not has_data:
                hint = (
                    ". It was saved inside an epoch: call "
                    "`restore(model, dataset)`"
                )
            changes = run_identity.check_same(
                facts.resolved(), identity, changed
            )
            specs = snapshot.specs(facts.batch > 0)
            arrays = checkpoint_files.read_arrays(path, values, specs)
        except (ValueError, OSError) as error:
            problems.append(f"{path} {error}{hint}")
            continue
        for problem in problems:
            warnings.warn(
                f"A checkpoint cannot be used: {problem}.", stacklevel=3
            )
        if any(c.startswith("optimizer learning_rate") for c in changes):
            arrays = snapshot.with_own_learning_rate(arrays)
        return Found(facts, arrays, changes)
    if problems:
        raise ValueError(
            f"No checkpoint can be used: {'; '.join(problems)}. Choose "
            "another directory, or remove them to start over."
        )
    return None
