"""Keeps pytest from collecting operator/, which would plant a false ``operator`` module in ``sys.modules``."""

collect_ignore = ["operator"]
