"""The names OpenLTH gives its folders: an md5 of all hyperparameters that matter. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

# Optional hyperparameters by their default; at it, they are left out, and the folder keeps its name.
_DEFAULTS: dict[str, Any] = {
    "do_not_augment": False,
    "transformation_seed": None,
    "subsample_fraction": None,
    "random_labels_fraction": None,
    "unsupervised_labels": None,
    "blur_factor": None,
    "batchnorm_frozen": False,
    "output_frozen": False,
    "others_frozen": False,
    "others_frozen_exceptions": None,
    "data_order_seed": None,
    "momentum": 0.0,
    "nesterov_momentum": 0.0,
    "milestone_steps": None,
    "gamma": None,
    "warmup_steps": None,
    "weight_decay": None,
    "apex_fp16": False,
    "pruning_fraction": 0.2,
    "pruning_layers_to_ignore": None,
    "start_at_step_zero": False,
    "strategy": "layerwise",
    "start_at": "rewind",
    "layers_to_ignore": "",
}


def canonical(group: Mapping[str, Any]) -> str:
    """A group of hyperparameters as OpenLTH writes it for hashing; a group may hold groups."""
    fields = (f"{name}={_value(group[name])}" for name in sorted(group) if _matters(name, group[name]))
    return f"Hparams({', '.join(fields)})"


def folder_name(prefix: str, groups: Mapping[str, Mapping[str, Any]]) -> str:
    """The folder of a run: ``train_<hash>`` or ``lottery_<hash>``.

    Args:
        prefix: ``train`` or ``lottery``.
        groups: ``dataset``, ``model`` and ``training``; for ``lottery`` also ``pruning`` and, if it rewinds,
            ``pretrain_dataset`` and ``pretrain_training``.
    """
    return f"{prefix}_{_md5(';'.join(canonical(groups[name]) for name in sorted(groups)))}"


def branch_folder_name(branch: str, arguments: Mapping[str, Any]) -> str:
    """The folder of a branch within a level: its arguments alone count, the path says the rest."""
    return f"lottery_branch_{branch}_{_md5(canonical(arguments))}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return canonical(value)
    return f"'{value}'" if isinstance(value, str) else repr(value)


def _matters(name: str, value: Any) -> bool:
    return name not in _DEFAULTS or value != _DEFAULTS[name]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
