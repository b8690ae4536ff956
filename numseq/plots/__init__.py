"""Pictures: where the decoder looked (`attention_map`), also in a sound (`spectrogram`), how training went
(`learning_curve`), and that of several runs (`learning_curves`), the step sizes of a schedule (`schedules`), what a
range test found (`lr_range`), where a backward pass is wrong (`gradient_errors`), how exact a numeric derivative is
(`error_curve`), how a beam search went (`beam_tree`), how far a gradient gets (`gradient_flow`), which gates are
saturated (`saturation`), what clipping does (`updates`), a cell's data flow (`data_flow`), gates under their text
(`gates`), the gradients inside steps (`gradients`), which states of its target frames are in (`ctc_lattice`), and what
a model gets wrong (`error_analysis`, `confusion_map`, `error_comparison`). `explore`, the microscope, moves, and so do
those of `numseq.plots.live`.

Every other picture is a matplotlib `Figure` made without pyplot: no display is needed, and no global list keeps a
figure that the caller has dropped. matplotlib is imported where it is used, so `import numseq` is quick.
"""

from numseq.plots.attention import attention_map
from numseq.plots.data_flow import data_flow
from numseq.plots.errors import confusion_map, error_analysis, error_comparison
from numseq.plots.figure import save
from numseq.plots.gates import gates
from numseq.plots.gradients import error_curve, gradient_errors, gradient_flow, gradients, saturation
from numseq.plots.lattice import ctc_lattice
from numseq.plots.live import explore
from numseq.plots.rates import lr_range, schedules
from numseq.plots.spectrogram import spectrogram
from numseq.plots.training import learning_curve, learning_curves, updates
from numseq.plots.tree import beam_tree

__all__ = [
    "attention_map",
    "beam_tree",
    "confusion_map",
    "ctc_lattice",
    "data_flow",
    "error_analysis",
    "error_comparison",
    "error_curve",
    "explore",
    "gates",
    "gradient_errors",
    "gradient_flow",
    "gradients",
    "learning_curve",
    "learning_curves",
    "lr_range",
    "saturation",
    "save",
    "schedules",
    "spectrogram",
    "updates",
]
