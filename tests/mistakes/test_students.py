"""Wrong answers of students, and what a report must tell them; and what is known of forward passes and searches."""

import beginners  # noqa: F401  (adds to ANSWERS)
import numpy as np
import pytest
from helpers import few_fast
from students import ANSWERS

from numseq.gradcheck import grade
from numseq.mistakes import LAYERS, run
from numseq.mistakes.exercise import EXERCISES
from numseq.mistakes.exercises.beam_search import LIMIT, WORDS, Table

QUICK = ["linear_forward", "linear", "cross_entropy_forward", "cross_entropy", "rnn_step", "beam_search"]


def test_there_are_many_answers():
    assert len(ANSWERS) >= 200
    assert {name for name, *_ in ANSWERS} == {*QUICK, "rnn", "lstm_step", "additive_attention"}


NUMBERED = {f"{name}-{k}-{function.__name__}": k for k, (name, function, _) in enumerate(ANSWERS)}
SOME = [
    label for label, k in NUMBERED.items() if k % (3 if ANSWERS[k][0] in QUICK else 24) == 0 and "until" not in label
]


@pytest.mark.parametrize("label", few_fast(NUMBERED, SOME))
def test_a_wrong_answer_is_told_what_leads_to_the_right_one(label):
    name, function, words = ANSWERS[NUMBERED[label]]
    result = grade(name, function)
    assert not result.ok and 0 <= result.points < 1
    assert all(word in str(result) for word in words), str(result)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_right_function_has_full_marks(name):
    for seed in range(3):
        result = grade(name, EXERCISES[name].right, seed=seed)
        assert result.ok and result.points == 1 and not result.lines(), str(result)


BESIDES = [(name, bug) for name, layer in LAYERS.items() for bug in layer.besides]


BY_NAME = {f"{name}-{bug.name}": (name, bug) for name, bug in BESIDES}


@pytest.mark.parametrize("label", few_fast(BY_NAME, list(BY_NAME)[::6]))
def test_what_beginners_write_besides_is_called_by_its_name(label):
    name, bug = BY_NAME[label]
    result = grade(name, lambda trace, **given: run(name, bug.change, trace, given))
    assert [found.name for found in result.diagnosis] == [bug.name] and bug.lesson in str(result), str(result)


def test_two_known_mistakes_in_two_results_are_both_named():
    def my_linear(trace, dy):
        x, dy_rows = trace.x.reshape(-1, trace.x.shape[-1]), dy.reshape(-1, dy.shape[-1])
        return {"dx": dy @ trace.params.W.T, "dW": x.T @ dy_rows / len(x), "db": dy_rows.mean(axis=0)}

    assert [found.name for found in grade("linear", my_linear).diagnosis] == [
        "dW is a mean over positions",
        "db is a mean",
    ]


def test_parameters_beside_the_other_results_are_compared_when_all_is_wrong():
    def my_linear(trace, dy):
        dx = np.zeros_like(trace.x)
        dx[0] = dy[0] @ trace.params.W.T
        return {"dx": dx, "dW": trace.x[0].T @ dy[0], "db": dy[0].sum(axis=0)}

    assert {"is the `return` inside the loop" in d.lesson for d in grade("linear", my_linear).diagnosis} == {True}


@pytest.mark.parametrize(
    ("name", "function", "said"),
    [
        (
            "linear",
            lambda trace, dy: {"dx": 0 * trace.x, "dW": 0 * trace.params.W, "db": dy[0, 0]},
            "dx should be dy @ W.T",
        ),
        ("cross_entropy", lambda trace, dloss: {"dlogits": 0 * trace.logits}, "dlogits should be (p - onehot)"),
        ("softmax", lambda trace, dy: {"dx": dy}, "dx should be p * (dy - mean), where mean = (dy * p).sum("),
    ],
)
def test_the_second_hint_says_what_a_result_should_be(name, function, said):
    told = [said in str(grade(name, function, hints=hints)) for hints in range(4)]
    assert told == [False, False, True, True]


BUGS = [(name, bug) for name, exercise in EXERCISES.items() for bug in exercise.bugs]


@pytest.mark.parametrize(("name", "bug"), BUGS, ids=[f"{name}-{bug.name}" for name, bug in BUGS])
def test_each_known_mistake_is_called_by_its_name(name, bug):
    result = grade(name, lambda *given: EXERCISES[name].right(*given, change=bug.change))
    assert [found.name for found in result.diagnosis] == [bug.name] and bug.lesson in str(result), str(result)


@pytest.mark.parametrize("hints", range(4))
def test_each_hint_tells_a_little_more(hints):
    def no_bias(x, W, b):
        return x @ W

    said = str(grade("linear_forward", no_bias, hints=hints))
    told = ["its largest error is at", "it should be x W + b", "this looks like: the bias is missing"]
    assert [word in said for word in told] == [hints > k for k in range(3)]
    assert said.startswith("no_bias: WRONG") and "wrong: y, y of a square W" in said
    assert (f"hints={hints + 1} says" in said) == (hints < 3)


def test_what_is_not_known_is_not_given_a_name():
    result = grade("linear_forward", lambda x, W, b: np.sin(x @ W + b))
    assert not result.diagnosis and "this is not one of the known mistakes" in str(result)


def test_other_inputs_are_drawn_with_another_seed():
    asked = [EXERCISES["linear_forward"].cases(np.random.default_rng(seed))["y"]["x"] for seed in range(2)]
    assert not np.array_equal(*asked)


# the search


def everything(table):
    """All hypotheses of a table, with their scores, by enumeration."""
    found = []
    for tokens, row in table.rows.items():
        total = row[table.eos] + sum(table.rows[tokens[:t]][token] for t, token in enumerate(tokens))
        found.append((tokens, total / (len(tokens) + 1)))
    return sorted(found, key=lambda one: -one[1])


@pytest.mark.parametrize("eos", range(WORDS))
@pytest.mark.parametrize("seed", range(3))
def test_a_beam_as_wide_as_everything_finds_what_enumeration_finds(seed, eos):
    table = Table(np.random.default_rng(seed), eos)
    expected = everything(table)
    assert len(expected) == sum((WORDS - 1) ** n for n in range(LIMIT + 1))
    found = EXERCISES["beam_search"].right(table, len(expected), eos)
    assert [tokens for tokens, _ in found] == [tokens for tokens, _ in expected]
    np.testing.assert_allclose([score for _, score in found], [score for _, score in expected], rtol=1e-12)


@pytest.mark.parametrize("form", [list, tuple, np.array])
def test_tokens_may_be_a_list_a_tuple_or_an_array(form):
    right = EXERCISES["beam_search"].right

    def my_beam_search(logp, beam, eos):
        return [[form(tokens), np.float64(score)] for tokens, score in right(lambda y: logp(form(y)), beam, eos)]

    if form is np.array:
        empty = np.zeros(0, dtype=int)
        form = lambda tokens: np.array(tokens, dtype=int) if len(tokens) else empty  # noqa: E731
    assert grade("beam_search", my_beam_search).ok


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda logp, beam, eos: 3, "it returns a int: a list of pairs (tokens, score) is wanted"),
        (lambda logp, beam, eos: ["ab"], "its list holds 'ab'"),
        (lambda logp, beam, eos: [("ab", 1.0)], "tokens are 'ab'"),
        (lambda logp, beam, eos: [((0.5,), 1.0)], "a tuple of whole numbers is wanted"),
        (lambda logp, beam, eos: [((1,), "x")], "a score is 'x': a number is wanted"),
        (lambda logp, beam, eos: logp("ab"), "it calls logp with 'ab'"),
        (lambda logp, beam, eos: [logp(()) for _ in iter(int, 1)], "it does not end"),
        (lambda logp, beam, eos: [], "it gives nothing"),
    ],
)
def test_an_answer_of_another_form_is_told_which_is_wanted(answer, said):
    assert said in str(grade("beam_search", answer))


def test_a_gradient_of_what_an_output_is_made_of_is_not_held_against_that_of_the_output():
    def my_attention(trace, dcontext, dalpha):
        grad = type(trace).backward(trace, dcontext, dalpha)
        whole = dalpha + np.einsum("tbc,sbc->tbs", dcontext, trace.attention.values)
        return {"dalpha": whole, "dquery": 2 * grad.dquery, "dkeys": grad.dkeys, "dvalues": grad.dvalues} | {
            "params": grad.params
        }

    result = grade("additive_attention", my_attention)
    assert result.wrong == ["dquery"] and result.first_wrong == ("dquery", None), str(result)
