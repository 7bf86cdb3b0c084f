"""Who may talk to whom between Liqo-peered clusters: decided by Datalog, explained by proof, written as nftables.

The package is a house of six rooms, each importable on its own: ``engine`` (Datalog), ``facts`` (objects in, facts
out), ``rules`` (the policy), ``chains`` (nftables out), ``checker`` (a second
opinion on proofs) and ``operator`` (the command line that drives them). This
module must stay empty of imports, so that ``--help`` costs nothing.
"""

__version__ = "0.1.0"
