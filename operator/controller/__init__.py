"""The in-cluster controller: watched objects become facts, and what the rules derive from them is written back.

There is a thread for each watched resource, one for the lease, some for HTTP, and one, the control loop, that alone
changes the state and writes. Python here decides nothing that a rule could decide.
"""
