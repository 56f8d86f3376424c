"""Tests of the program that tests claims."""

import sys

import pytest

from rigl_tf import results
from rigl_tf.bin import claims as program
from rigl_tf.papers import claims
from tests import records
from tests.bin import command_line

CLAIM = claims.Claim(
    "RigL is more accurate than SET.",
    "A paper, Table 1",
    tasks=("digits_mlp",),
    sparsity=(0.9, 0.98),
    first=claims.Side("rigl"),
    second=claims.Side("set"),
    seeds=3,
)


def test_a_report_pairs_the_seeds_that_both_sides_have(tmp_path):
    values = {"rigl": (0.9, 0.91, 0.92), "set": (0.8, 0.82, None)}
    for side in (CLAIM.first, CLAIM.second):
        for run, accuracy in zip(
            CLAIM.runs(side, "digits_mlp", 0), values[side.method], strict=True
        ):
            if accuracy is not None:
                (tmp_path / run.path).mkdir(parents=True)
                results.write(
                    tmp_path / run.path, records.record(accuracy=accuracy)
                )

    text, decided = program.report(
        "1", CLAIM, tmp_path, results.read_all(tmp_path)
    )

    assert decided == "undecided"
    assert "Table 1. 2 of 6 pairs of runs are finished. Verdict:" in text
    row = text.splitlines()[-1]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[:3] == ["digits_mlp", "0.9", "2"]
    assert cells[3:5] == ["90.50 ± 0.71", "81.00 ± 1.41"]
    assert cells[5].startswith("+9.50 (+3.15 to +15.85)")


def test_a_claim_is_trained_and_reported(tmp_path, monkeypatch, capsys):
    def trained(runs, directory, jobs):
        for run in runs:
            record = records.record(accuracy=0.9 + 0.001 * run.seed)
            (directory / run.path).mkdir(parents=True)
            results.write(directory / run.path, record)
            yield run, record

    monkeypatch.setattr(program.parallel_runs, "train_all", trained)
    flags = ["--claim=1", f"--output_dir={tmp_path}"]

    program.main(command_line.flags("claims", *flags))

    printed = capsys.readouterr().out
    assert "[26/26] fashion_mlp/static/sparsity=0.995/seed=4" in printed
    assert "Verdict: does not hold." in printed
    assert "| fashion_mlp | rigl   | **LEARNING_RATE = 0.002** |" in printed


def test_a_claim_is_tested_on_another_task(tmp_path, capsys):
    flags = ["--claim=1", "--on=digits_mlp", f"--output_dir={tmp_path}"]

    program.main(command_line.flags("claims", *flags, "--report"))

    assert "No run is finished." in capsys.readouterr().out


def test_a_claim_with_numbers_of_its_task_is_for_that_task(capsys):
    fixed = [n for n, c in claims.read().items() if c.fits_only_these_tasks]
    flags = [f"--claim={fixed[0]}", "--on=digits_mlp"]

    with pytest.raises(ValueError, match=f"claims {fixed[0]} fit only"):
        program.main(command_line.flags("claims", *flags))
    program.main(command_line.flags("claims", "--on=digits_mlp"))

    printed = capsys.readouterr().out
    assert f"claims {', '.join(fixed)} fit only their own task" in printed
    assert f"\n| {fixed[0]} " not in printed


def test_every_claim_is_listed(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    program.main(command_line.flags("claims"))

    lines = capsys.readouterr().out.splitlines()
    numbers = [line.split()[1] for line in lines if line[2:3].isdigit()]
    assert numbers == list(claims.read())
    assert max(map(len, lines)) <= 100


def test_an_unknown_claim_is_refused():
    with pytest.raises(ValueError, match="Received: --claim=99"):
        program.main(command_line.flags("claims", "--claim=1,99"))
