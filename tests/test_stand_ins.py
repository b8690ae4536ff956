"""What stands on the site for libraries that browsers have not: it gives what the libraries give."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from numseq.data.tokens import TokenError, Tokens

ROOT = Path(__file__).parent.parent
BROWSER = ROOT / "docs" / "browser"
LINES = ["a bc  a\td", "bc <eos> é e\u0301", "", "①１ zz\u00a0a", "b\x1cc \x85a", "ΟΔΟΣ"]
TAGS = ("<user>", "<bot>")
TAGGED = [
    "<user> a bc <Bot> d",
    "a<user>bc",
    "\u3000<user>\xa0 a\x1d<user>\x1d",
    "<user><bot>",
    "＜user＞ <USER> a",
    "<user",
]
SHOWN = """
import kernel
code = '''
import matplotlib.pyplot as plt
import numpy as np
from numseq.gradcheck import check
from numseq.layers import init_lstm, lstm
from numseq.plots import attention_map, gradient_errors
params = init_lstm(np.random.default_rng(0), inputs=4, hidden=2, dtype=float)
gradient_errors(check(lstm, {"x": np.ones((2, 3, 4)), "state": None, "params": params}))
attention_map(np.ones((3, 2)) / 2, ["a", "<eos>"], ["b", "c", "<eos>"])
figure, axes = plt.subplots(1, 2)
axes[0].plot([1, 2])
plt.show()
'''
shown = []
kernel.run(code, "<cell 1>", lambda *output: shown.append(output))
print(shown)
"""


@pytest.fixture
def stand_in(monkeypatch):
    """Take the stand-ins for the libraries."""

    def take(name):
        for known in [known for known in sys.modules if known.partition(".")[0] == name]:
            monkeypatch.delitem(sys.modules, known)
        monkeypatch.syspath_prepend(BROWSER / "stand_ins")
        taken = importlib.import_module(name)
        assert Path(taken.__file__).is_relative_to(BROWSER)

    yield take
    for known, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(BROWSER)):
            del sys.modules[known]


FORMS = [("none", False), ("nfc", False), ("nfkc", False), ("nfd", False), ("none", True), ("nfd", True)]


@pytest.mark.parametrize(("normalization", "lowercase"), FORMS)
@pytest.mark.parametrize("kind", ["word", "char"])
@pytest.mark.parametrize("tags", [(), TAGS])
def test_tokens_are_those_of_the_library(stand_in, tags, kind, normalization, lowercase):
    form = {"normalization": normalization, "lowercase": lowercase, "tags": tags}
    lines = [*LINES, "A bC ǰ", *TAGGED]

    def everything(tokens):
        again = Tokens.from_json(tokens.to_json())
        said = [json.loads(tokens.to_json()), json.loads(again.to_json())]
        for one in (tokens, again):
            coded = one.encode([*lines, "new a"])
            said += [coded, [one.decode(ids) for ids in coded], [one.split(line) for line in lines], len(one)]
            said += [one.join(one.split("bc a")), one.normalize(lines[3]), one.token(5), one.id("a"), one.id("no")]
            said += [one.read(["new é", "a", *TAGGED]), one.tags, [one.id(tag) for tag in TAGS]]
        return said

    def trained():
        learnt = [Tokens.train(lines, kind, least, **form, max_vocabulary=most) for least, most in ((1, None), (2, 8))]
        return [*learnt, Tokens.of(["a", "d", "b"], kind, **form)]

    right, text = [everything(tokens) for tokens in trained()], LINES[0]
    theirs = trained()[0].to_json()
    stand_in("tokenizers")
    assert [everything(tokens) for tokens in trained()] == right
    assert Tokens.from_json(theirs).encode([text]) == [right[0][2][0]]


def test_sub_words_are_refused_with_the_reason(stand_in):
    theirs = Tokens.train(LINES, "bpe").to_json()
    stand_in("tokenizers")
    for call in (lambda: Tokens.train(LINES, "bpe"), lambda: Tokens.train(LINES, "unigram")):
        with pytest.raises(NotImplementedError, match="sub-words need the library tokenizers"):
            call()
    with pytest.raises(TokenError, match="sub-words need the library tokenizers"):
        Tokens.from_json(theirs)


def test_arrays_are_kept_as_the_library_keeps_them(stand_in):
    arrays = {"a": np.arange(6, dtype="float32").reshape(2, 3), "b": np.array(True), "c": np.zeros((0, 2), "int64")}
    theirs = save(arrays, metadata={"x": "y"})
    stand_in("safetensors")
    ours = importlib.import_module("safetensors.numpy")
    read = {"theirs": ours.load(theirs), "ours": load(ours.save(arrays, metadata={"x": "y"}))}
    for found in read.values():
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype and np.array_equal(found[name], array)


def test_pictures_are_drawn_by_nothing_and_nothing_else_is_said():
    path = os.pathsep.join(map(str, [BROWSER / "stand_ins", BROWSER, ROOT]))
    ran = subprocess.run(
        [sys.executable, "-c", SHOWN], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert (ran.stdout, ran.stderr) == ("[('picture', '')]\n", "")
