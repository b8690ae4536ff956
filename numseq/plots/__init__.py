"""Pictures: where the decoder looked (`attention_map`), how training went (`learning_curve`), and that of several runs
(`learning_curves`), where a backward pass is wrong (`gradient_errors`), how exact a numeric derivative is
(`error_curve`), how a beam search went (`beam_tree`), how far a gradient gets (`gradient_flow`), which gates are
saturated (`saturation`), and what clipping does (`updates`).

Every picture is a matplotlib `Figure` made without pyplot: no display is needed, and no global list keeps a
figure that the caller has dropped. matplotlib is imported where it is used, so `import numseq` is quick.
"""

from numseq.plots.attention import attention_map
from numseq.plots.figure import save
from numseq.plots.gradients import error_curve, gradient_errors, gradient_flow, saturation
from numseq.plots.training import learning_curve, learning_curves, updates
from numseq.plots.tree import beam_tree

__all__ = [
    "attention_map",
    "beam_tree",
    "error_curve",
    "gradient_errors",
    "gradient_flow",
    "learning_curve",
    "learning_curves",
    "saturation",
    "save",
    "updates",
]
