"""Tunes settings of a method on validation data, with Optuna's TPE.

rigl-study --study=digits_updates --output_dir=runs/updates
rigl-study --study=digits_updates --output_dir=runs/updates --jobs=2
rigl-study --study=rigl_reproduction/updates --output_dir=runs/updates

A study is a file in gin_configs/studies. Every trial trains with several seeds.
Its score is the mean of their validation accuracies after the last epoch; test
data are not used for decisions. Trials are stored in studies.db: a study that
was stopped resumes where it was, with the same result as an uninterrupted one.

The file of a study is code: run only files that you have read. From studies.db,
only values in the ranges of the study are used.
"""

import time

from absl import flags

from rigl_tf.bin import cli
from rigl_tf.bin import parallel_runs
from rigl_tf.experiments import tuning
from rigl_tf.results import grouping
from rigl_tf.results import plots
from rigl_tf.results import reports
from rigl_tf.utils import file_lock
from rigl_tf.utils import files
from rigl_tf.utils import text_tables

_STUDY = flags.DEFINE_string(
    "study", None, "Name of a file in gin_configs/studies, or a path."
)


def main():
    """Runs the study in --study."""
    if _STUDY.value is None:
        raise ValueError(
            "Pass a study, such as --study=digits_updates. See --help."
        )
    study = tuning.read(_STUDY.value)
    tune(study, parallel_runs.output_dir("studies"))


def tune(study, directory):
    """Trains the remaining trials; prints and plots all trials.

    Args:
        study: `tuning.Study`.
        directory: Path.

    Raises:
        FileExistsError: If another process tunes in the directory.
    """
    with file_lock.Lock(directory):
        _tune(study, directory)


def _tune(study, directory):
    start, left = time.monotonic(), study.num_trials * len(study.spaces)
    rows: list[tuple[str, ...]] = [_HEAD]
    records, trained, first = [], 0, {}
    for space in study.spaces:
        distribution, sparsity = space
        reference = _records(study, space, {}, directory)
        trials = tuning.open_study(study, distribution, sparsity, directory)
        left -= len(tuning.completed(trials))
        while len(tuning.completed(trials)) < study.num_trials:
            trial, values = tuning.ask(study, trials)
            runs = _records(study, space, values, directory)
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
            (values, _records(study, space, values, directory))
            for values in tuning.completed(trials)
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
    text = text_tables.markdown(rows)
    print(f"\n{text}")
    files.write(directory / "study.md", text + "\n")
    if len(study.ranges) == 2 and records:
        x, y = study.ranges
        figure = files.folder(directory, "figures") / "trials.png"
        plots.trials(records, figure, x, y, [first[x], first[y]])
        print(f"\nFigure: {figure}")


_HEAD = (
    "",
    "reference",
    "validation, %",
    "test, %",
    "best on validation",
    "validation, %",
    "test, %",
)


def _records(study, space, values, directory):
    runs = study.runs(*space, values)
    return [record for _, record in parallel_runs.train_all(runs, directory)]


def _format_values(values):
    return ", ".join(f"{name} {value:.3g}" for name, value in values.items())


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


def run():
    """Entry point of `rigl-study`."""
    cli.run(main, resume_hint="continue it with the same command")


if __name__ == "__main__":
    run()
