"""What this machine does and what ptycupy makes of it: rates, seconds per iteration and quality, as one JSON record."""
