"""Whether a table is what it should be, wherever it stands: as rendered, as stored for Liqo's agents, as a kernel lists it."""
