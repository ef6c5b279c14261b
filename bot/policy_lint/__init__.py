"""Proofs about a policy: what is true of all requests, or one of which it is not.

`linting` and `comparing` need z3-solver (the extra `lint`), so nothing that serves imports them.
"""
