"""What makes an output well formed, token by token."""

from numseq.search.constraints.brackets import Brackets
from numseq.search.constraints.candidates import Candidates
from numseq.search.constraints.constraint import Constraint, Rows, Together
from numseq.search.constraints.function import ByFunction
from numseq.search.constraints.grammar import Grammar
from numseq.search.constraints.names import SourceNames

__all__ = ["Brackets", "ByFunction", "Candidates", "Constraint", "Grammar", "Rows", "SourceNames", "Together"]
