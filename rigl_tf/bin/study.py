"""Tunes settings of a method.

Its help and flags are in `rigl_cli.study`.
"""

import time

from rigl_tf.bin import parallel_runs
from rigl_tf.experiments import tuning
from rigl_tf.gin_tools import config_files
from rigl_tf.results import grouping
from rigl_tf.results import plots
from rigl_tf.results import reports
from rigl_tf.utils import file_lock
from rigl_tf.utils import files
from rigl_tf.utils import text_tables
from rigl_tf.utils.validation import is_number


def main(flags):
    """Runs the study in --study."""
    if flags.list:
        print(config_files.listing("studies"))
        return
    if flags.study is None:
        raise ValueError(
            "Pass a study, such as --study=digits_updates. See --list and "
            "--help."
        )
    study = tuning.read(flags.study)
    tune(study, parallel_runs.output_dir(flags), flags.jobs)


def tune(study, directory, jobs=1):
    """Trains the remaining trials; prints and plots all trials.

    Args:
        study: `tuning.Study`.
        directory: Path.
        jobs: Integer, runs to train at once.

    Raises:
        FileExistsError: If another process tunes in the directory.
        ValueError: If the task has no validation data.
    """
    reference, *_ = study.runs(*study.spaces[0], {})
    tuning.check_validation_data(reference)
    with file_lock.Lock(directory):
        _tune(study, directory, jobs)


def _tune(study, directory, jobs):
    start, left = time.monotonic(), study.num_trials * len(study.spaces)
    rows: list[tuple[str, ...]] = [_HEAD]
    records, trained, first = [], 0, {}
    for space in study.spaces:
        distribution, sparsity = space

        def train(values, space=space):
            runs = study.runs(*space, values)
            trained = parallel_runs.train_all(runs, directory, jobs)
            return [record for _, record in trained]

        reference = train({})
        trials = tuning.open_study(study, distribution, sparsity, directory)
        left -= len(tuning.completed(trials))
        while len(tuning.completed(trials)) < study.num_trials:
            trial, values = tuning.ask(study, trials)
            runs = train(values)
            accuracy = tuning.score(runs)
            trials.tell(trial, accuracy)
            trained, left = trained + 1, left - 1
            seconds = (time.monotonic() - start) / trained * left
            print(
                f"[{len(tuning.completed(trials))}/{study.num_trials}] "
                f"{grouping.group_key(runs[0])}  {_format_values(values)}  "
                "validation accuracy "
                f"{100 * accuracy:.2f} %, best "
                f"{100 * trials.best_value:.2f} %, about {seconds:.0f} s left",
                flush=True,
            )
        scored_trials = [
            (values, train(values)) for values in tuning.completed(trials)
        ]
        best = max(scored_trials, key=lambda pair: tuning.score(pair[1]))
        first = reference[0].settings
        rows.append(
            (
                str(grouping.group_key(reference[0])),
                _format_values(
                    {name: first.get(name) for name in study.ranges}
                ),
                *_accuracies(reference),
                _format_values(best[0]),
                *_accuracies(best[1]),
            )
        )
        records += reference + [
            record for _, runs in scored_trials for record in runs
        ]
    print(f"\n{text_tables.printed(rows)}")
    table = directory / "study.md"
    files.write(table, text_tables.markdown(rows) + "\n")
    print(f"\nTable: {table}")
    if len(study.ranges) == 2 and records:
        x, y = study.ranges
        figure = files.folder(directory, "figures") / "trials.png"
        marked = [first.get(x), first.get(y)]
        if not all(map(is_number, marked)):  # such as INTERVAL = None
            marked = None
        plots.trials(records, figure, x, y, marked)
        print(f"Figure: {figure}")


_HEAD = (
    "",
    "reference",
    "validation, %",
    "test, %",
    "best on validation",
    "validation, %",
    "test, %",
)


def _format_values(values):
    return ", ".join(
        f"{name} {value:.3g}" if is_number(value) else f"{name} {value}"
        for name, value in values.items()
    )


def _accuracies(records):
    """Returns mean and deviation of validation and test accuracy."""
    return (
        reports.format_mean_std(
            [100 * record.final_val_accuracy for record in records]
        ),
        reports.format_mean_std(
            [100 * record.test["accuracy"] for record in records]
        ),
    )


if __name__ == "__main__":
    from rigl_cli.study import run

    run()
