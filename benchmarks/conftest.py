"""Options that the benchmarks share."""


def pytest_addoption(parser):
    parser.addoption("--backend", default="cpu", help="cpu, cuda or cuda:1")
