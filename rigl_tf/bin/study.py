"""Tunes settings of a method on validation data, with Optuna's TPE.

rigl-study --study=digits_updates --output_dir=runs/updates
rigl-study --study=digits_updates --output_dir=runs/updates --jobs=2
rigl-study --study=rigl_reproduction/updates --output_dir=runs/updates

A study is a file in gin_configs/studies. Every trial trains with several seeds
and counts by the mean of their validation accuracies after the last epoch;
test data decide nothing. Trials are kept in studies.db: a study that was
stopped goes on where it was, and ends like one that was not.

A study's file is code: run only those that you have read. Of studies.db, values
in the study's ranges count, and nothing else.
"""

import time

from absl import flags

from rigl_tf import files
from rigl_tf import kinds
from rigl_tf import locks
from rigl_tf import plots
from rigl_tf import reports
from rigl_tf import tables
from rigl_tf.bin import command
from rigl_tf.bin import pool
from rigl_tf.bin import studies

_STUDY = flags.DEFINE_string(
    "study", None, "In gin_configs/studies, or a path."
)


def main():
    """Runs the study that the flags name."""
    if _STUDY.value is None:
        raise ValueError("Say which study: --study=digits_updates. See --help.")
    study = studies.read(_STUDY.value)
    tune(study, pool.output_dir("studies"))


def tune(study, directory):
    """Trains the trials that are left; prints and draws all there are.

    Args:
        study: `studies.Study`.
        directory: Path.

    Raises:
        FileExistsError: If another process is tuning there.
    """
    with locks.Lock(directory):
        _tune(study, directory)


def _tune(study, directory):
    begin, left = time.monotonic(), study.num_trials * len(study.spaces)
    rows, records, trained = [_HEAD], [], 0
    for space in study.spaces:
        reference = _records(study, space, {}, directory)
        trials = studies.opened(study, *space, directory)
        left -= len(studies.done(trials))
        while len(studies.done(trials)) < study.num_trials:
            trial, values = studies.ask(study, trials)
            runs = _records(study, space, values, directory)
            trials.tell(trial, studies.score(runs))
            trained, left = trained + 1, left - 1
            seconds = (time.monotonic() - begin) / trained * left
            print(
                f"[{len(studies.done(trials))}/{study.num_trials}] "
                f"{kinds.of(runs[0])}  {_words(values)}  validation accuracy "
                f"{100 * trials.trials[trial.number].value:.2f} %, best "
                f"{100 * trials.best_value:.2f} %, about {seconds:.0f} s left",
                flush=True,
            )
        tried = [
            (values, _records(study, space, values, directory))
            for values in studies.done(trials)
        ]
        best = max(tried, key=lambda pair: studies.score(pair[1]))
        first = reference[0].settings
        rows.append(
            (
                str(kinds.of(reference[0])),
                _words({name: first.get(name) for name in study.ranges}),
                *_accuracies(reference),
                _words(best[0]),
                *_accuracies(best[1]),
            )
        )
        records += reference + [record for _, runs in tried for record in runs]
    text = tables.markdown(rows)
    print(f"\n{text}")
    files.write(directory / "study.md", text + "\n")
    if len(study.ranges) == 2:
        figure = files.folder(directory, "figures") / "trials.png"
        reference = [first[name] for name in study.ranges]
        plots.trials(records, figure, *study.ranges, reference)
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
    return [record for _, record in pool.trained(runs, directory)]


def _words(values):
    return ", ".join(f"{name} {value:.3g}" for name, value in values.items())


def _accuracies(records):
    """Mean and deviation of validation and test accuracy."""
    return (
        reports.spread([100 * record.validated for record in records]),
        reports.spread([100 * record.test["accuracy"] for record in records]),
    )


def run():
    """Entry point of `rigl-study`."""
    command.run(main, goes_on="the same command goes on")


if __name__ == "__main__":
    run()
