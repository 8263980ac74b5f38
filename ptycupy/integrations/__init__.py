"""ptycupy inside other packages: each module here is the home of the one package that it is named after."""
