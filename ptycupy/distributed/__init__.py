"""One reconstruction on several processes: who computes what, and how they add, gather and stop together."""
