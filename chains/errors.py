"""The one error of this room: a caller keeps the last enforced chain of that peering and continues with the others."""


class ChainError(ValueError):
    """A layout, or a part of a table, that cannot be written as nftables without changing what it means.

    The message names the peering, the rule and the value, and says what would be accepted. Nothing is ever written
    in place of what was refused: no truncated set, no rule without its match.
    """
