"""A model without first values has the parameters of one with them, all zero."""

import numpy as np
import pytest

from numseq import params as trees
from numseq.layers import init
from numseq.models import Seq2Seq, Seq2SeqConfig
from numseq.models.registry import ATTENTIONS, CELLS

SIZES = {"embedding": 6, "hidden": 8, "attention_size": 4, "layers": 2}
KINDS = [{"cell": name} for name in CELLS] + [{"attention": name} for name in ATTENTIONS]
KINDS += [{"init": "uniform", "recurrent_init": "same"}, {"tied": "all"}, {"readout": "maxout"}]


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_without_a_seed_names_shapes_and_dtypes_are_the_same(options):
    config = Seq2SeqConfig(9, 9, **SIZES | options)
    drawn, blank = (dict(trees.walk(Seq2Seq.create(config, seed).params)) for seed in (0, None))
    assert drawn.keys() == blank.keys()
    for name, array in blank.items():
        assert (array.shape, array.dtype) == (drawn[name].shape, drawn[name].dtype)
        assert array.flags.writeable and np.isin(array, (0, config.forget_bias)).all()


def test_what_else_is_asked_of_a_generator_is_drawn():
    assert init.Zeros().integers(5, 6, size=3).tolist() == [5, 5, 5]
    assert init.Zeros().normal(size=(2, 2)).shape == (2, 2)
