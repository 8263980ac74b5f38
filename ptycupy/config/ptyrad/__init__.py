"""PtyRAD's parameter files: typed at the door with PtyRAD's own defaults, then translated section by section."""
