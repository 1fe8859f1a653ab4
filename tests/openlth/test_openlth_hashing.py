"""Folder names that OpenLTH itself gave, reproduced."""

from __future__ import annotations

from typing import Any

import pytest

from lotto.openlth.defaults import FAMILIES, default_groups, is_default_run
from lotto.openlth.hashing import branch_folder_name, canonical, folder_name

RESNET = FAMILIES["cifar_resnet"]


def test_the_string_that_is_hashed() -> None:
    groups = default_groups(RESNET, "cifar_resnet_20")
    strings = [canonical(groups[name]) for name in ("dataset", "model", "training")]
    assert ";".join(strings) == (
        "Hparams(batch_size=128, dataset_name='cifar10');"
        "Hparams(batchnorm_init='uniform', model_init='kaiming_normal', model_name='cifar_resnet_20');"
        "Hparams(gamma=0.1, lr=0.1, milestone_steps='80ep,120ep', momentum=0.9, optimizer_name='sgd', "
        "training_steps='160ep', weight_decay=0.0001)"
    )


def test_a_training_run() -> None:
    groups = default_groups(RESNET, "cifar_resnet_20")
    del groups["pruning"]
    assert folder_name("train", groups) == "train_71bc92a970b64a76d7ab7681764b0021"


@pytest.mark.parametrize(
    ("model", "rewound", "hashed"),
    [
        ("cifar_resnet_20", None, "93bc65d66dfa64ffaf2a0ab105433a2c"),
        ("cifar_resnet_20", "500it", "23b644efaef60c49ca88fc5e37e2595a"),
        ("cifar_resnet_20", "1000it", "231c88c353aecc912eada550c58eff10"),
        ("cifar_resnet_20", "2000it", "6a3f90a482a5e73fa0473f151fe64163"),
        ("mnist_lenet_300_100", None, "184ace1d6901ace6854b0a595cbd6b27"),
        ("cifar_vgg_16", None, "24681ae490e223746998ba524b0a61d8"),
    ],
)
def test_lottery_runs_with_default_hyperparameters(model: str, rewound: str | None, hashed: str) -> None:
    family = next(family for name, family in FAMILIES.items() if model.startswith(name))
    name = folder_name("lottery", default_groups(family, model, rewound))
    assert name == f"lottery_{hashed}"
    step = int(rewound.removesuffix("it")) if rewound else 0
    assert is_default_run(name, family, model, step)
    assert not is_default_run(name, family, model, step + 1)


def test_steps_may_be_written_in_epochs() -> None:
    for written in ("2ep", "782it", "2ep0it"):
        name = folder_name("lottery", default_groups(RESNET, "cifar_resnet_20", written))
        assert is_default_run(name, RESNET, "cifar_resnet_20", 782)


def test_every_hyperparameter_that_is_added_changes_the_name() -> None:
    groups = default_groups(RESNET, "cifar_resnet_20")
    training: dict[str, Any] = {"optimizer_name": "sgd", "lr": 0.1, "training_steps": "160ep"}
    chain: list[tuple[dict[str, Any], str]] = [
        ({}, "da8fd50859ba6d59aceca9d50ebcbf7e"),
        ({"momentum": 0.9}, "028eb999ecd1980cd012589829c945a3"),
        ({"milestone_steps": "80ep,120ep", "gamma": 0.1}, "e696cbf42d8758b8afdf2a16fad1de15"),
        ({"weight_decay": 1e-4}, "93bc65d66dfa64ffaf2a0ab105433a2c"),
        ({"warmup_steps": "20ep"}, "4e7b9ee929e8b1c911c5295233e6828f"),
        ({"data_order_seed": 0}, "d51482c0d378de4cc71b87b38df2ea84"),
    ]
    for added, hashed in chain:
        training |= added
        assert folder_name("lottery", {**groups, "training": training}) == f"lottery_{hashed}"


def test_a_hyperparameter_at_its_default_changes_nothing() -> None:
    plain = {"optimizer_name": "sgd", "lr": 0.1, "training_steps": "160ep"}
    assert canonical({**plain, "momentum": 0.0, "gamma": None, "apex_fp16": False}) == canonical(plain)
    assert canonical({**plain, "data_order_seed": 0}) != canonical(plain)


@pytest.mark.parametrize(
    ("branch", "arguments", "hashed"),
    [
        ("randomly_reinitialize", {}, "7b99794732481fff503d5290ee43fb4b"),
        ("randomly_reinitialize", {"start_at_step_zero": False}, "7b99794732481fff503d5290ee43fb4b"),
        ("randomly_prune", {"seed": 7}, "722d7815348773060cd630fcaa73e625"),
        (
            "randomly_prune",
            {"seed": 7, "strategy": "layerwise", "start_at": "rewind"},
            "722d7815348773060cd630fcaa73e625",
        ),
    ],
)
def test_branches(branch: str, arguments: dict[str, Any], hashed: str) -> None:
    assert branch_folder_name(branch, arguments) == f"lottery_branch_{branch}_{hashed}"


def test_groups_within_groups() -> None:
    nested = {"retrain_t": {"lr": 0.1}, "retrain_d": {"dataset_name": "mnist"}}
    assert canonical(nested) == "Hparams(retrain_d=Hparams(dataset_name='mnist'), retrain_t=Hparams(lr=0.1))"
