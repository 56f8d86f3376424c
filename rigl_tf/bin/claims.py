"""Tests claims of the papers.

Its help and flags are in `rigl_cli.claims`.
"""

import dataclasses
import math
import statistics

from rigl_tf import results
from rigl_tf.bin import paper_flags
from rigl_tf.bin import parallel_runs
from rigl_tf.papers import claims
from rigl_tf.papers import comparison
from rigl_tf.papers import verdicts
from rigl_tf.results import reports
from rigl_tf.utils import text_tables


def main(flags):
    """Lists, trains or reports the claims that the flags select."""
    known = claims.read()
    for number in flags.claim:
        if number not in known:
            raise ValueError(
                f"--claim must be from 1 to {len(known)}. "
                f"Received: --claim={number}."
            )
    selected = {n: known[n] for n in flags.claim or known}
    if (task := paper_flags.task(flags)) is not None:
        selected = _on(task, selected, named=bool(flags.claim))
    if not (flags.claim or flags.output_dir or flags.report):
        print(_list(selected))
        return
    directory = parallel_runs.output_dir(flags)
    if flags.report and not directory.is_dir():
        raise ValueError(
            "--output_dir must be the directory of the runs to report. "
            f"Received: --output_dir={directory}, which does not exist."
        )
    if not flags.report:
        _train(selected.values(), directory, flags.jobs)
    found = results.read_all(directory)
    summary = [("", "claim", "where", "verdict")]
    for number, claim in selected.items():
        text, decided = report(number, claim, directory, found)
        if flags.claim or decided or claim.untested:
            print(text, flush=True)
            shown = "cannot be tested here" if claim.untested else decided
            summary.append((number, claim.text, claim.where, shown))
    if len(summary) > 2:
        print(f"## Verdicts\n\n{text_tables.printed(summary)}\n")
    print(f"## Settings\n\n{_settings(selected.values(), directory)}")


def _on(task, selected, named):
    """Returns the claims on another task, without those that it cannot test."""
    fixed = [n for n, claim in selected.items() if claim.fits_only_these_tasks]
    if fixed:
        text = (
            f"The numbers of claims {', '.join(fixed)} fit only their own task."
        )
        if named:
            raise ValueError(f"{text} Remove --on. Received: --on={task}.")
        print(f"{text} They are left out.\n")
    return {
        number: dataclasses.replace(claim, tasks=(task,))
        for number, claim in selected.items()
        if number not in fixed
    }


def _list(selected):
    rows = [("", "claim", "where", "runs")]
    for number, claim in selected.items():
        count = claim.untested or str(len(claim.all_runs()))
        rows.append((number, claim.text, claim.where, count))
    return text_tables.printed(rows)


def _train(selected, directory, jobs):
    """Trains the unfinished runs of claims, with a line for each."""
    runs = list(
        dict.fromkeys(r for claim in selected for r in claim.all_runs())
    )
    for number, (run, record) in enumerate(
        parallel_runs.train_all(runs, directory, jobs), 1
    ):
        print(
            f"[{number}/{len(runs)}] {run.path}  {reports.test_result(record)}",
            flush=True,
        )


def _settings(selected, directory):
    """Returns a table of the trials of settings; the chosen ones are bold."""
    rows = [("task", "method", "settings", "validation accuracy, %")]
    tried = [run.tried for claim in selected for run in claim.all_runs()]
    for ways in dict.fromkeys(filter(None, tried)):
        paths = [[directory / run.path for run in way] for way in ways]
        if not all((p / results.RECORD).exists() for way in paths for p in way):
            continue
        values = [
            [results.read(p / results.RECORD).final_val_accuracy for p in way]
            for way in paths
        ]
        best = max(map(statistics.mean, values))
        for way, value in zip(ways, values, strict=True):
            text = ", ".join(way[0].settings)
            is_best = statistics.mean(value) == best
            rows.append(
                (
                    way[0].task,
                    way[0].method,
                    f"**{text}**" if is_best else text,
                    ", ".join(f"{100 * each:.2f}" for each in value),
                )
            )
            best = math.inf if is_best else best  # the first of equals
    return text_tables.printed(rows)


def report(number, claim, directory, records):
    """Returns the text and the verdict on a claim.

    Args:
        number: String, the number of the claim.
        claim: `Claim`.
        directory: Path of the runs.
        records: Dictionary from the path of a run to its `Record`.

    Returns:
        Pair of strings: Markdown, and the verdict, which is empty without
        finished runs.
    """
    title = f"## {number}. {claim.text}\n\n{claim.where}."
    if claim.untested:
        return f"{title} Cannot be tested here: {claim.untested}\n", ""
    rows: list[tuple[str, ...]] = [
        ("task", "sparsity", "seeds", *_names(claim), "difference", "p")
    ]
    shown, num_pairs = [], 0
    for task, index in claim.cases:
        pairs = _pairs(claim, task, index, directory, records)
        num_pairs += len(pairs)
        if not pairs:
            shown.append(None)
            continue
        found = verdicts.Difference(*zip(*pairs, strict=True))
        is_shown = found.shows(claim.expected, claim.margin)
        # Equal differences of a few seeds would leave no doubt.
        shown.append(is_shown if len(pairs) == claim.seeds else None)
        low, high = found.interval
        rows.append(
            (
                task,
                _sparsity(claim, index),
                str(len(pairs)),
                _mean(found.first),
                _mean(found.second),
                f"{found.mean:+.2f} ({low:+.2f} to {high:+.2f})",
                _p_value(found.p_value),
            )
        )
    if not num_pairs:
        return f"{title} No run is finished.\n", ""
    decided = verdicts.verdict(shown)
    all_pairs = len(claim.cases) * claim.seeds
    if num_pairs < all_pairs:
        title += f" {num_pairs} of {all_pairs} pairs of runs are finished."
    table = text_tables.printed(rows)
    return f"{title} Verdict: {decided}.\n\n{table}\n", decided


def _pairs(claim, task, index, directory, records):
    """Returns pairs of values, one for each seed with both runs."""
    sides = [
        (side.metric, claim.runs(side, task, index))
        for side in (claim.first, claim.second)
    ]
    pairs = []
    for seed in range(claim.seeds):
        pair = []
        for metric, runs in sides:
            record = records.get(directory / runs[seed].path)
            value = record and comparison.METRICS[metric].value(record)
            pair.append(math.nan if value is None else value)
        if not any(map(math.isnan, pair)):
            pairs.append(pair)
    return pairs


def _names(claim):
    names = []
    for side in (claim.first, claim.second):
        title = comparison.METRICS[side.metric].title
        names.append(f"{side.name or side.method}: {title}")
    return names


def _sparsity(claim, index):
    values = [
        (side.sparsity or claim.sparsity)[index]
        for side in (claim.first, claim.second)
        if side.method != "dense"
    ]
    return ", ".join(dict.fromkeys(f"{value:g}" for value in values))


def _p_value(value):
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _mean(values):
    if len(values) < 2:
        return f"{values[0]:.2f}"
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"


if __name__ == "__main__":
    from rigl_cli.claims import run

    run()
