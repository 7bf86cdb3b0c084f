"""The in-cluster controller: what the API server says becomes facts, what follows from them is written back.

One thread for each watched resource, one for the lease, one for HTTP, and one that alone touches facts and writes. It
must not decide anything that a rule could decide.
"""
