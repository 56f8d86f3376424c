"""Tests of the program that tests claims."""

import pytest

from rigl_tf import results
from rigl_tf.bin import claims as program
from rigl_tf.papers import claims
from tests import records

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

    assert decided == "holds"
    row = text.splitlines()[-1]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[:3] == ["digits_mlp", "0.9", "2"]
    assert cells[3:5] == ["90.50 ± 0.71", "81.00 ± 1.41"]
    assert cells[5].startswith("+9.50 (+3.15 to +15.85)")


def test_a_claim_is_trained_and_reported(
    parsed_flags, tmp_path, monkeypatch, capsys
):
    def trained(runs, directory):
        for run in runs:
            record = records.record(accuracy=0.9 + 0.001 * run.seed)
            (directory / run.path).mkdir(parents=True)
            results.write(directory / run.path, record)
            yield run, record

    monkeypatch.setattr(program.parallel_runs, "train_all", trained)
    parsed_flags("--claim=1", f"--output_dir={tmp_path}")

    program.main()

    printed = capsys.readouterr().out
    assert "[26/26] fashion_mlp/static/sparsity=0.995/seed=4" in printed
    assert "Verdict: does not hold." in printed
    assert "| fashion_mlp | rigl   | **LEARNING_RATE = 0.002** |" in printed


def test_a_claim_is_tested_on_another_task(parsed_flags, tmp_path, capsys):
    task = "--on=digits_mlp"
    parsed_flags("--claim=1", task, f"--output_dir={tmp_path}", "--report")

    program.main()

    assert "No run is finished." in capsys.readouterr().out


def test_every_claim_is_listed(parsed_flags, capsys):
    parsed_flags()

    program.main()

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(claims.read())


def test_an_unknown_claim_is_refused(parsed_flags):
    parsed_flags("--claim=1,99")

    with pytest.raises(ValueError, match="Received: --claim=99"):
        program.main()
