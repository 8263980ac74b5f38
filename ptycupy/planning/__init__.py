"""What a reconstruction costs, from shapes alone: the engine's own code runs on arrays that have no values.

`Counting` is a Backend that computes nothing and writes down what each op reads, writes, computes and allocates.
"""

from ptycupy.planning.backend import Counting, CountingCpu, CountingCuda, How, cost_of, counting, shaped, twin_of
from ptycupy.planning.ceilings import Ceilings, measure_ceilings, predicted_ceilings
from ptycupy.planning.fit import bytes_per_pattern
from ptycupy.planning.ledger import Cost, Ledger
from ptycupy.planning.shaped import Shaped

__all__ = [
    "Ceilings",
    "Cost",
    "Counting",
    "CountingCpu",
    "CountingCuda",
    "How",
    "Ledger",
    "Shaped",
    "bytes_per_pattern",
    "cost_of",
    "counting",
    "measure_ceilings",
    "predicted_ceilings",
    "shaped",
    "twin_of",
]
