"""The image folder as it is found when it is loaded."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lotto.data.facts import Facts
from lotto.data.listing import Listing, list_images
from lotto.data.split import hold_out
from lotto.errors import BadRequest


def list_as_declared(
    facts: Facts, root: str | None, folders: Mapping[str, str] | None, test_fraction: float | None
) -> Listing:
    """Lists the folder; BadRequest if that is not what ``facts`` were found or declared to be."""
    listing = list_images(root, folders, test_fraction)
    found = (listing.train, listing.test, len(listing.classes))
    declared = (facts.train + facts.validation, facts.test, facts.classes)
    if found != declared:
        raise BadRequest(
            f"data.root={root} has {found[0]} training and {found[1]} test images of {found[2]} classes where "
            f"{declared[0]}, {declared[1]} and {declared[2]} are declared: complete the folder, or give its "
            "data.examples and data.classes."
        )
    if facts.identity.get("listing", listing.digest()) != listing.digest():
        raise BadRequest(
            f"data.root={root} has changed since it was listed: let what writes there finish, and start again."
        )
    return listing


def split_test(listing: Listing, split_seed: int) -> tuple[Tensor, Tensor]:
    """The indices, int64, of the images for training (validation included) and of those for testing."""
    if listing.sampled:
        return hold_out(len(listing.files), listing.test, "test", split_seed)
    every = torch.arange(len(listing.files))
    return every[: listing.train], every[listing.train :]
