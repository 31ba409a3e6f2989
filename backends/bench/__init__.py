"""The benchmark: what freehold costs, beside the raw limits of the machine and beside its peers, in one run.

``rows.py`` says what is measured and what must be reached, ``contenders/`` how each contender does it.  Loaded only by
``freehold bench``; a peer is imported only in processes of its own.
"""
