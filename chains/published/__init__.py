"""The tables of a peering as objects for agents: a ConnectivityChain and its ConnectivitySetSlices, written and read back."""
