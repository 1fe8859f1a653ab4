"""Whether two networks keep the same weights, beside what chance alone would give them in common (``lotto.chance``).

Of two replicates by default. ``networks`` and ``files`` say which others: a control and its ticket (``[trained,ticket]`` with
``branches=[shuffle]``), a ticket and that of another level (``[trained,level3]``, or ``previous``), a ticket and ticket files.
"""

from __future__ import annotations

from lotto.chance import Shared, shared
from lotto.probes.subject import Numbers, Subject


def probe(subject: Subject, numbers: Numbers) -> None:
    """Of the masks of every two networks, for every layer and for the whole network: what they share.

    ``iou`` is the intersection over union of the kept weights and ``hamming`` the fraction of places where the masks differ;
    ``iou_chance`` and ``hamming_chance`` are their expectations by chance, exact up to rounding. ``z`` is how many standard deviations
    of chance the common weights lie above its mean, and ``p`` the probability that chance gives as many or more: of a layer exact, of the
    whole network not below 1e-12, the rounding of a sum over layers. Masks that share fewer weights than by chance have a negative ``z``.
    Dense networks share everything, which chance gives them as well: ``z`` has no value there.
    """
    pairs = list(subject.pairs())
    for pair, first, second in pairs:
        whole, layers = shared(subject.mask(subject.network(first)), subject.mask(subject.network(second)))
        named = pair if len(pairs) > 1 else ""
        for name, layer in layers.items():
            _note(numbers, layer, layer.p, named, name)
        _note(numbers, whole, whole.chance.at_least(whole.both), named)


def _note(numbers: Numbers, found: Shared, p: float, pair: str, layer: str = "") -> None:
    measures = {
        "iou": found.iou,
        "iou_chance": found.chance.iou,
        "hamming": found.hamming / found.places,
        "hamming_chance": found.hamming_chance / found.places,
        "z": found.z,
        "p": p,
    }
    for measure, value in measures.items():
        numbers.add(measure, value, layer=layer, pair=pair)
