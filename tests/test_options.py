"""An option is one line: what it is made into, and what is refused, for a toy and for all options of numseq."""

import dataclasses
import json
import os
import runpy
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from numseq.cli import commands
from numseq.cli import common as cli_common
from numseq.data.sound import FeatureOptions, SpecAugmentOptions
from numseq.errors import ConfigError
from numseq.models import HEADS, Seq2SeqConfig
from numseq.options import option, options_of, validate
from numseq.search import BeamOptions, SamplingOptions
from numseq.training import DataOptions, RangeOptions, TrainingOptions

DOCS = Path(__file__).parent.parent / "docs"
TABLES = runpy.run_path(str(DOCS / "tables.py"))
ALL = [
    Seq2SeqConfig, DataOptions, TrainingOptions, BeamOptions, SamplingOptions, RangeOptions, FeatureOptions,
    SpecAugmentOptions,
]  # fmt: skip
GIVEN = {Seq2SeqConfig: {"source_vocabulary": 11, "target_vocabulary": 13}}
EVERY = [pytest.param(kind, name, id=f"{kind.__name__}.{name}") for kind in ALL for name in options_of(kind)]
COMMANDS = typer.main.get_command(commands.app).commands


class Horn:
    """A sound of one's own, for those who want none of the registry."""


SOUNDS = {"bell": object(), "drum": object()}


@dataclasses.dataclass(frozen=True)
class Toy:
    size: int = option(help="Of the toy.", least=1)
    wheels: int = option(4, "So many turn.", least=0, most=8)
    speed: float = option(1.5, "Metres a second.", above=0, below=9, source="Hare & Tortoise 600 BC")
    tilt: float = option(0.0, "Either way.")
    loud: bool = option(False, "Is it heard?")
    fast: bool = option(True, "Does it run?")
    sound: str | Horn = option("bell", "What is heard.", choices=SOUNDS)
    colour: str | None = option(None, "Of the paint.", choices=("red", "blue"), otherwise="bare wood")
    weight: float | None = option(None, "In kilograms.", least=0)
    name: str = option("toy", "What it is called.")
    plan: str | os.PathLike | None = option(None, "File of the drawing.")

    def __post_init__(self):
        validate(self)


def toy(**options):
    return Toy(**({"size": 3} | options))


def refusal(made, **options):
    with pytest.raises(ConfigError) as info:
        made(**options)
    assert "\n" not in str(info.value) and len(str(info.value)) < 200
    return str(info.value)


# validated


def test_defaults_are_taken_and_what_has_none_must_be_given():
    assert dataclasses.asdict(Toy(1)) == {
        "size": 1, "wheels": 4, "speed": 1.5, "tilt": 0.0, "loud": False, "fast": True, "sound": "bell",
        "colour": None, "weight": None, "name": "toy", "plan": None,
    }  # fmt: skip
    with pytest.raises(TypeError, match="size"):
        Toy()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"wheels": np.int64(3)}, 3),
        ({"wheels": np.uint8(8)}, 8),
        ({"speed": 2}, 2.0),
        ({"speed": np.float32(0.5)}, 0.5),
        ({"speed": np.float16(0.5)}, 0.5),
        ({"speed": np.int8(2)}, 2.0),
        ({"speed": Fraction(1, 4)}, 0.25),
        ({"tilt": -1e300}, -1e300),
        ({"loud": np.True_}, True),
        ({"sound": np.str_("drum")}, "drum"),
        ({"plan": Path("a") / "b"}, os.path.join("a", "b")),
        ({"weight": None}, None),
    ],
)
def test_values_are_kept_as_those_of_python(given, kept):
    [(name, _)] = given.items()
    found = getattr(toy(**given), name)
    assert found == kept and type(found) is type(kept)
    assert json.loads(json.dumps(dataclasses.asdict(toy(**given))))[name] == kept


WRONG = {
    "size is 0: it must be a whole number of at least 1": {"size": 0},
    "size is None: it must be a whole number of at least 1": {"size": None},
    "wheels is 9: it must be a whole number of at least 0 and at most 8": {"wheels": 9},
    "wheels is 2.5: it must be a whole number of at least 0 and at most 8": {"wheels": 2.5},
    "wheels is 4.0: it must be a whole number of at least 0 and at most 8": {"wheels": np.float64(4)},
    "wheels is True: it must be a whole number of at least 0 and at most 8": {"wheels": True},
    "wheels is '4': it must be a whole number of at least 0 and at most 8": {"wheels": "4"},
    "wheels is nan: it must be a whole number of at least 0 and at most 8": {"wheels": np.nan},
    "wheels is array([4, 4]): it must be a whole number of at least 0 and at most 8": {"wheels": np.array([4, 4])},
    "speed is 0: it must be above 0 and below 9": {"speed": 0},
    "speed is 9.0: it must be above 0 and below 9": {"speed": np.float32(9)},
    "speed is nan: it must be above 0 and below 9": {"speed": np.float32("nan")},
    "speed is 'fast': it must be a number": {"speed": "fast"},
    "speed is False: it must be a number": {"speed": False},
    "speed is 1j: it must be a number": {"speed": 1j},
    "tilt is -inf: it must be finite": {"tilt": -np.inf},
    f"tilt is 1{'0' * 76}...: it must be finite": {"tilt": 10**400},
    "weight is -1: it must be finite and at least 0": {"weight": -1},
    "loud is 1: it must be true or false": {"loud": 1},
    "loud is 'yes': it must be true or false": {"loud": "yes"},
    "sound is 'siren': choose one of bell, drum, or give a Horn": {"sound": "siren"},
    "sound is None: choose one of bell, drum, or give a Horn": {"sound": None},
    "colour is ['red']: choose one of red, blue": {"colour": ["red"]},
    "colour is 1: choose one of red, blue": {"colour": 1},
    "name is 7: it must be a text": {"name": 7},
    "plan is 7: it must be a text": {"plan": 7},
}


@pytest.mark.parametrize("message", WRONG)
def test_a_value_that_makes_no_sense_is_named_with_what_is_allowed(message):
    assert refusal(toy, **WRONG[message]) == message


def test_a_value_of_many_lines_is_refused_in_one():
    assert refusal(toy, wheels=np.zeros((30, 30))).startswith("wheels is array([[0., 0., ")


def test_registries_are_looked_at_when_a_value_comes(monkeypatch):
    assert "choose one of bell, drum" in refusal(toy, sound="siren")
    monkeypatch.setitem(SOUNDS, "siren", object())
    assert toy(sound="siren").sound == "siren"
    assert "choose one of bell, drum, siren" in refusal(toy, sound="whistle")


def test_a_part_of_ones_own_stands_for_a_name():
    horn = Horn()
    assert toy(sound=horn).sound is horn
    assert refusal(toy, sound=Horn).startswith("sound is <class")


# every option of numseq


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_option_explains_itself_and_takes_its_default(kind, name):
    known = options_of(kind)[name]
    assert known.help.endswith((".", "?")) and len(known.help) <= 120
    assert (kind is Seq2SeqConfig and name in GIVEN[kind]) or known.checked(known.default) == known.default


@pytest.mark.parametrize(("kind", "name"), EVERY)
@pytest.mark.parametrize(
    "value", [object(), [], {}, 1j, b"x", np.zeros(3), np.datetime64("nat"), float("nan"), np.inf, -7, "no such thing"],
    ids=lambda value: type(value).__name__ + str(value)[:3],
)  # fmt: skip
def test_whatever_is_given_is_taken_or_refused_in_one_line(kind, name, value):
    try:
        made = kind(**(GIVEN.get(kind, {}) | {name: value}))
    except ConfigError as error:
        assert str(error).startswith(f"{name} is ") and "\n" not in str(error)
    else:
        assert getattr(made, name) == value and type(value) in (int, float, str)


# on the command line


@pytest.fixture
def play():
    """Runs a command whose options are those of a toy; what it got is (result, dict)."""
    got = {}
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    group = cli_common.Group("Toys", Toy, without=["name"], tilt={"default": None, "otherwise": "as the floor is"})

    def toys(out: str, toy: Annotated[dict, group], twice: bool = False):
        """Play."""
        got.update(toy, out=out, twice=twice)

    cli_common.command(toys, app)

    def run(*words):
        return CliRunner().invoke(app, [str(word) for word in words]), got

    return run


def test_an_option_is_parsed(play):
    result, got = play("here", "--wheels", 3, "--speed", 0.5, "--loud", "--no-fast", "--sound", "drum", "--plan", "a")
    assert result.exit_code == 0, result.output
    assert got == {"wheels": 3, "speed": 0.5, "tilt": None, "loud": True, "fast": False, "sound": "drum",
                   "colour": None, "weight": None, "plan": "a", "out": "here", "twice": False}  # fmt: skip
    assert Toy(size=1, **{name: got[name] for name in ("wheels", "sound", "plan")}) == toy(
        size=1, wheels=3, sound="drum", plan="a"
    )


def test_an_option_is_validated_under_the_name_that_was_typed(play):
    result, got = play("here", "--wheels", 9)
    assert isinstance(result.exception, ConfigError) and got == {}
    assert str(result.exception) == "--wheels is 9: it must be a whole number of at least 0 and at most 8"
    for words in (("--wheels", "many"), ("--sound", "siren"), ("--size", 3), ("--name", "x")):
        result, _ = play("here", *words)
        assert result.exit_code == 2 and words[0] in result.output


def test_an_option_is_shown_in_help_under_its_title_with_default_and_bounds(play):
    said, _ = play("--help")
    before, _, shown = " ".join(said.output.split()).partition(" Toys: ")
    assert "--twice" in before and "--wheels" not in before and "--size" not in shown and "--name" not in shown
    for text in ("So many turn. [default: 4; at least 0 and at most 8]", "[default: 1.5; above 0 and below 9]",
                 "Either way. [default: as the floor is]", "--fast / --no-fast", "Does it run? [default: yes]",
                 "Of the paint. [default: bare wood]", "In kilograms. [at least 0]", "File of the drawing.",
                 "bell|drum"):  # fmt: skip
        assert text in shown, text


@pytest.mark.usefixtures("parts_are_forgotten")
def test_an_option_with_one_choice_is_none_of_a_command_until_there_is_another():
    for name in list(HEADS)[1:]:
        del HEADS[name]
    assert "head" not in cli_common.Group("Model", Seq2SeqConfig).options
    HEADS["other"] = HEADS["vocabulary"]
    assert "head" in cli_common.Group("Model", Seq2SeqConfig).options


def test_a_change_of_what_is_not_there_is_a_mistake():
    with pytest.raises(AssertionError, match="Toy has no whels"):
        cli_common.Group("Toys", Toy, whels={"default": 3})


def shown(command):
    return {one.name: (one.opts, one.help, one.default) for one in COMMANDS[command].params}


def test_translate_and_evaluate_decode_alike():
    translate, evaluate = shown("translate"), shown("evaluate")
    decoding = {name for kind in (BeamOptions, SamplingOptions) for name in options_of(kind)} - {"nbest", "samples"}
    decoding |= {"max_ratio", "extra", "replace_unk", "dictionary", "sample"}
    assert {name: translate[name] for name in decoding} == {name: evaluate[name] for name in decoding}


@pytest.mark.parametrize(
    ("command", "kind", "elsewhere", "changed"),
    [
        (
            "train",
            Seq2SeqConfig,
            {"source_vocabulary", "target_vocabulary", "source", "target", "head"},
            {"dropout": 0.3, "attention_size": None},
        ),
        ("train", DataOptions, set(), {}),
        ("train", TrainingOptions, {"objective"}, {}),
        ("lr-range", TrainingOptions, {"objective"}, {}),
        ("lr-range", RangeOptions, set(), {}),
        ("translate", BeamOptions, {"nbest"}, {"beam": None}),
        ("translate", SamplingOptions, {"samples"}, {}),
    ],
)
def test_commands_have_every_option_of_python_with_its_default(command, kind, elsewhere, changed):
    found = {name: default for name, (*_, default) in shown(command).items()}
    ours = {name: known.default for name, known in options_of(kind).items() if name not in elsewhere}
    assert {name: found[name] for name in ours} == ours | changed


# in the documentation


def test_the_tables_of_the_documentation_are_those_of_the_options():
    pages = {path.name: path.read_text(encoding="utf-8") for path in TABLES["PAGES"]}
    for name, page in pages.items():
        assert TABLES["filled"](page) == page, f"docs/{name} has old tables: python docs/tables.py"
        assert (
            page.count("<!-- options of ")
            == page.count("<!-- end of options -->")
            == len(TABLES["PLACE"].findall(page))
        )
    for command in ("train", "lr-range", "translate"):
        for one in COMMANDS[command].params:
            if getattr(one, "rich_help_panel", None) not in (None, "Files"):
                assert f"| `{one.opts[0]}` |" in pages["options.md"] or one.name == "sample"


def test_a_table_says_all_that_the_field_says():
    group = cli_common.Group("Toys", Toy, wheels={"default": 6})
    table = TABLES["table"](group, ["wheels", "speed", "loud", "sound", "colour"])
    assert table.splitlines() == [
        "| option | default | can be | what it does | source |",
        "| --- | --- | --- | --- | --- |",
        "| `--wheels` | 6 (in Python 4) | at least 0 and at most 8 | So many turn |  |",
        "| `--speed` | 1.5 | above 0 and below 9 | Metres a second | Hare & Tortoise 600 BC |",
        "| `--loud` | no |  | Is it heard? |  |",
        "| `--sound` | bell | `bell`, `drum` | What is heard |  |",
        "| `--colour` | bare wood | `red`, `blue` | Of the paint |  |",
    ]
