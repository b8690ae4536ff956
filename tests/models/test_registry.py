"""Parts by name and parts handed in as objects: what they are called, and what is said when one is not known."""

import re
from dataclasses import asdict, dataclass, replace
from functools import partial

import pytest

from numseq.errors import ConfigError
from numseq.layers import LSTM, RNN, AdditiveAttention, DotAttention, lstm_step, rnn_step
from numseq.models import ATTENTIONS, CELLS, ENCODERS, HEADS, Seq2Seq, Seq2SeqConfig
from numseq.models.config import PARTS
from numseq.models.encoders.recurrent import ForwardEncoder
from numseq.models.heads.vocabulary import VocabularyHead
from numseq.registry import Registry
from numseq.training import TrainingOptions

pytestmark = pytest.mark.usefixtures("parts_are_forgotten")


def my_step(a, c_prev):
    return lstm_step(a, c_prev)


class MyAttention(DotAttention):
    pass


class MyEncoder(ForwardEncoder):
    pass


class MyHead(VocabularyHead):
    pass


@dataclass(frozen=True)
class Scaled(RNN):
    factor: float = 1.0


HERE = __name__


@pytest.mark.parametrize(
    "option, part, name",
    [
        ("cell", LSTM(step=my_step), f"numseq.layers.cells.lstm.LSTM(step={HERE}.my_step)"),
        ("cell", Scaled(factor=0.5), f"{HERE}.Scaled(factor=0.5)"),
        ("attention", MyAttention, f"{HERE}.MyAttention"),
        ("encoder", MyEncoder, f"{HERE}.MyEncoder"),
        ("head", MyHead, f"{HERE}.MyHead"),
    ],
)
def test_a_part_handed_in_is_known_by_its_qualified_name(option, part, name):
    config = Seq2SeqConfig(11, 13, **{option: part})
    assert getattr(config, option) == name and PARTS[option].find(name) is part
    assert Seq2SeqConfig(**asdict(config)) == config  # as a saved one is read again
    assert replace(config, hidden=8) == Seq2SeqConfig(11, 13, hidden=8, **{option: part})
    model = Seq2Seq.create(config)
    kinds = [type(part) if option == "cell" else part, config.cell_part, config.attention_part, *config.boxes]
    assert kinds[0] in [type(kind) if option == "cell" else kind for kind in kinds[1:]] and model.config is config


def test_a_part_of_the_librarys_own_keeps_its_short_name():
    config = Seq2SeqConfig(11, 13, cell=LSTM(), attention=AdditiveAttention, encoder=ENCODERS["forward"])
    assert (config.cell, config.attention, config.encoder) == ("lstm", "additive", "forward")
    assert Seq2SeqConfig(11, 13, cell=RNN(rnn_step)).cell == "rnn"


def test_equal_cells_are_one_part_and_different_ones_are_two():
    one, again = (Seq2SeqConfig(11, 13, cell=LSTM(step=my_step)).cell for _ in range(2))
    before = len(CELLS)
    assert one == again
    names = [Seq2SeqConfig(11, 13, cell=Scaled(factor=f)).cell for f in (0.5, 2.0, 0.5)]
    assert names[0] == names[2] != names[1] and len(CELLS) == before + 2


def test_a_part_can_be_registered_under_a_name_of_its_own():
    assert CELLS.register(LSTM(step=my_step), "coupled") == "coupled"
    config = Seq2SeqConfig(11, 13, cell="coupled")
    assert config.cell == "coupled" and config.cell_part.step is my_step
    assert Seq2SeqConfig(11, 13, cell=LSTM(step=my_step)).cell == "coupled"  # known already, by that name
    assert HEADS.register(MyHead) == f"{HERE}.MyHead"


def test_a_part_that_is_registered_again_is_the_new_one():
    CELLS.register(LSTM(step=my_step), "mine")
    CELLS.register(RNN(), "mine")
    assert Seq2SeqConfig(11, 13, cell="mine").cell_part == RNN()


def test_a_lambda_has_no_name_that_a_saved_model_could_know():
    step = lambda a, c_prev: lstm_step(a, c_prev)  # noqa: E731
    before = dict(CELLS)
    for call in (lambda: Seq2SeqConfig(11, 13, cell=LSTM(step=step)), lambda: CELLS.register(LSTM(step=step))):
        with pytest.raises(ConfigError) as caught:
            call()
        assert str(caught.value) == "a lambda has no name that a saved model could know it by: define it with def"
    assert before == CELLS
    assert CELLS.register(LSTM(step=step), "short") == "short"  # a name is all that it lacks


class Plain(RNN):
    """A cell that is no dataclass of its own, though its base is one."""

    def __init__(self, factor):
        super().__init__()
        object.__setattr__(self, "factor", factor)


def made(factor):
    def step(a):
        return rnn_step(factor * a)

    return step


@pytest.mark.parametrize("make", [Plain, lambda factor: RNN(made(factor))])
def test_a_part_never_takes_the_place_of_another_that_the_same_lines_made(make):
    config = Seq2SeqConfig(11, 13, cell=(first := make(0.5)))
    assert Seq2SeqConfig(11, 13, cell=make(0.5)).cell == config.cell  # alike, so it is the same
    with pytest.raises(ConfigError, match=r"another cell is called .* of its own, CELLS.register\(part, name\)"):
        Seq2SeqConfig(11, 13, cell=make(2.0))
    assert config.cell_part is first
    CELLS.register(make(2.0), "doubled")
    assert Seq2SeqConfig(11, 13, cell=make(2.0)).cell == "doubled"


def test_what_is_defined_anew_takes_the_place_of_what_it_was():
    names, parts = set(), []
    for factor in (0.5, 2.0):  # as a cell of a notebook that is run twice
        space = {"__name__": "notebook", "rnn_step": rnn_step}
        lines = ["def make(k):", "    def step(a):", "        return rnn_step(k * a)", "    return step"]
        exec("\n".join([*lines, f"mine = make({factor})"]), space)
        config = Seq2SeqConfig(11, 13, cell=RNN(space["mine"]))
        names.add(config.cell)
        parts.append(config.cell_part)
    assert len(names) == 1 and parts[0] is not parts[1]


@pytest.mark.parametrize(
    ("option", "part", "said"),
    [
        ("cell", LSTM, "cell is the class LSTM: give one made of it, LSTM(...)"),
        ("head", VocabularyHead(None), "head is made of VocabularyHead already: give the class itself"),
        ("encoder", object, f"encoder is {object}: choose one of {', '.join(ENCODERS)}, or give one of your own, which "
                            "this is not: it has no width"),
        ("cell", RNN(partial(rnn_step)), "a partial has no name that a saved model could know it by: define a "
                                         "function with def"),
    ],
)  # fmt: skip
def test_what_is_nearly_a_part_is_told_what_it_lacks(option, part, said):
    with pytest.raises(ConfigError) as caught:
        Seq2SeqConfig(11, 13, **{option: part})
    assert str(caught.value) == said


@pytest.mark.parametrize("option", ["optimizer", "schedule", "objective"])
def test_training_knows_parts_as_models_do(option):
    with pytest.raises(ConfigError, match=f"register it, {option.upper()}S.register"):
        TrainingOptions(**{option: "a.b.C"})


@pytest.mark.parametrize("option", PARTS)
def test_an_unknown_name_is_told_the_known_ones(option):
    with pytest.raises(ConfigError) as caught:
        Seq2SeqConfig(11, 13, **{option: "mistake"})
    assert str(caught.value) == f"{option} is 'mistake': choose one of {', '.join(PARTS[option])}"


@pytest.mark.parametrize("option", PARTS)
def test_a_part_of_somebodys_own_that_is_not_known_here_says_how_to_make_it_known(option):
    with pytest.raises(ConfigError) as caught:
        Seq2SeqConfig(11, 13, **{option: "a.b.C"})
    text = str(caught.value)
    assert text == (
        f"{option} is 'a.b.C', a part of somebody's own that is not known here: import it and register it, "
        f"{option.upper()}S.register(part, 'a.b.C')"
    )
    import numseq.models  # the registry that the message names is there

    assert getattr(numseq.models, re.search(r"(\w+)\.register", text)[1]) is PARTS[option]


def test_parts_made_of_others_are_named_in_full():
    registry = Registry("cell", {"as it is": RNN()}, offers=())
    assert registry.register(LSTM()) == "numseq.layers.cells.lstm.LSTM()"  # nothing differs from the usual
    assert registry.name_of(None) is None and registry.name_of("as it is") == "as it is"


def test_what_is_saved_of_an_attention_and_a_cell_names_them_both():
    config = Seq2SeqConfig(11, 13, cell=LSTM(step=my_step), attention=MyAttention)
    assert config.cell_part.step is my_step and config.attention_part is MyAttention
    del ATTENTIONS[config.attention]
    with pytest.raises(ConfigError, match="not known here"):
        Seq2SeqConfig(**asdict(config))
