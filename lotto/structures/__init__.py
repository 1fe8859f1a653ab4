"""What is pruned at once: single weights, or groups of them. Composes with every criterion, allocation and schedule.

A structure says which weights form a group (``lotto.structures.families``); scores are pooled over each group, groups compete as the
allocation says, and the mask is an ordinary one over weights. ``nm`` is the one kind without groups that come and go: of every M weights
that lie side by side along the input, N stay.
"""
