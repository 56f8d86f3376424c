"""Records that no run has left."""

from rigl_tf import results


def record(
    method="rigl",
    sparsity=0.9,
    seed=0,
    accuracy=0.9,
    task="digits",
    distribution="erdos_renyi_kernel",
    training_multiplier=1,
    **more,
):
    return results.Record(
        task=task,
        method=method,
        distribution="" if method == "dense" else distribution,
        sparsity=sparsity,
        training_multiplier=training_multiplier,
        seed=seed,
        test={"accuracy": accuracy, "loss": float("inf")},
        history=more.pop("history", {"val_accuracy": [0.5, accuracy]}),
        densities={"dense1": 0.125},
        structure=more.pop("structure", {}),
        parameters={"active": 1100, "dense": 10_000},
        flops={
            "inference": 200,
            "inference_dense": 1000,
            "training": 700,
            "training_dense": 3000,
            "convention": "macs2",
        },
        steps=80,
        seconds=1.5,
        versions={"keras": "3"},
        device="abacus",
        **more,
    )
