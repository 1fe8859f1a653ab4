"""Early-Bird tickets (You et al., ICLR 2020, Drawing Early-Bird Tickets) and WORM (Vasudev 2024, arXiv 2406.11872).

Which channels matter shows early: the mask that keeps those of the largest batch normalisation scales |gamma| hardly moves any more after a
tenth of training. The search looks at it before every epoch e, when e epochs have been trained:

- v holds |gamma| of every channel of every ``BatchNorm2d``, C in all; they compete with each other across layers.
- For the prune ratio p the threshold is ``sorted(v)[floor(p C)]``, counted from 0, and m_e keeps what is strictly above it. Without ties
  floor(p C) + 1 channels go. While all scales are equal, as before the first epoch, none is kept.
- m_e enters a queue of five, from which the oldest falls. Once it is full, d_i is the share of channels in which m_e and m_{e-i} differ,
  i = 1 to 4; where no d_i exceeds epsilon = 0.1 the ticket is drawn: the network as it is then, before epoch e. (The project's page speaks
  of five distances in a row; this is what the code does.) The bound is the same for all p, though two random masks differ in 2 p (1 - p)
  only, 0.18 at p = 0.1: distances are stored both plain and as a share of that.
- All along, lambda sign(gamma) is added to the gradient of every scale (``lotto.training.scale_penalty``), in addition to weight decay.

EB Train removes the channels from the network of that moment and trains on: current weights, the schedule where it stands, a fresh
optimizer, lambda still on. WORM makes the mask settle sooner by damping the gradients of the channels that it leaves out at the moment
(``lotto.early_bird.worm``).

A layer that would lose all of its channels keeps the first one, as the authors' script for residual networks does, and a warning says so.

Not stated by the paper, or not known to us: how the figure of tickets drawn at all epochs retrains them; here either way
(``method.start_at``). No number of WORM could be verified.
"""
