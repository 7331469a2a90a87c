"""Two models on the same rows: their metrics' differences, and how far these differences can be trusted.

The rows are put into groups once, whole clusters together. Each metric is computed again without each group, for both
models over the same rows: a delete-a-group jackknife of the difference. A group's share of every sum is counted in one
pass over the rows, so hundreds of draws cost little more than one. The formulas stay TFMA's own: only the sums that
they start from are made here.
"""
