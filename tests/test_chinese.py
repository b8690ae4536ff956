"""The Chinese says what the English says: every text has its Chinese, with the same code, links, numbers and formulas.

What to do after a change in English: `python docs/translation.py` (pip install -e '.[docs]'), then translate what is
empty or fuzzy in docs/locale; README.zh-CN.md by hand.
"""

import importlib.util
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOW = "run `python docs/translation.py`, and translate what is empty or fuzzy in docs/locale"
HAN = re.compile("[\u4e00-\u9fff]")
# English terms and their Chinese; the first is the glossary's
TERMS = {
    "attention": ["注意力机制", "注意力"],
    "backpropagation": ["反向传播"],
    "batch": ["批次", "批量归一化"],
    "beam search": ["束搜索"],
    "bias": ["偏置", "偏见", "曝光偏差"],
    "coverage": ["覆盖机制", "覆盖"],
    "cross-entropy": ["交叉熵"],
    "decoder": ["解码器"],
    "dropout": ["随机失活", "词丢弃"],
    "embedding": ["词嵌入"],
    "encoder": ["编码器"],
    "entropy": ["熵"],
    "exposure bias": ["曝光偏差"],
    "forget gate": ["遗忘门"],
    "gradient": ["梯度"],
    "greedy": ["贪心搜索", "贪心"],
    "hidden state": ["隐藏状态"],
    "input gate": ["输入门"],
    "Jacobian": ["雅可比矩阵"],
    "label smoothing": ["标签平滑"],
    "layer normalisation": ["层归一化"],
    "learning rate": ["学习率"],
    "loss": ["损失"],
    "mask": ["掩码", "遮住"],
    "one-hot": ["独热向量", "独热"],
    "output gate": ["输出门"],
    "overfitting": ["过拟合"],
    "padding": ["填充"],
    "peephole": ["窥视孔连接", "窥视孔"],
    "perplexity": ["困惑度"],
    "readout": ["读出层"],
    "residual connection": ["残差连接"],
    "sampled softmax": ["采样 softmax"],
    "softmax": ["归一化指数函数", "softmax"],
    "teacher forcing": ["教师强制"],
    "token": ["词元"],
    "vocabulary": ["词表"],
    "zoneout": ["状态保持随机失活"],
}


def translation():
    spec = importlib.util.spec_from_file_location("translation", ROOT / "docs/translation.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TRANSLATION = translation()
CATALOGUES = {name: TRANSLATION.read(TRANSLATION.CATALOGUES / f"{name}.po") for name in TRANSLATION.names()}
MESSAGES = [(name, english, chinese) for name, found in CATALOGUES.items() for english, (chinese, _) in found.items()]
PAGES = ["index", "equations", "change-an-equation", "questions", "glossary"]
PAGES += [f"equations/{name}" for name in ("pieces", "cells", "attentions", "losses")]


def listed(texts):
    return "".join(f"\n  {text}" for text in texts)


def test_the_pages_that_are_promised_are_translated():
    assert set(TRANSLATION.pages()) == {f"docs/{page}" for page in PAGES}


@pytest.mark.parametrize("name", CATALOGUES)
def test_no_text_waits_for_its_chinese(name):
    found = CATALOGUES[name]
    waiting = [english for english, (chinese, comments) in found.items() if not chinese or "fuzzy" in comments]
    assert not waiting, f"docs/locale/.../{name}.po: to be translated, or `#, fuzzy` to be deleted:{listed(waiting)}"
    file = (TRANSLATION.CATALOGUES / f"{name}.po").read_text(encoding="utf-8")
    assert len(re.findall("^msgid ", file, re.M)) == len(found) + 1  # all was read, and nothing is there twice
    assert "#~" not in file


def written(page):
    """A page's text without its code, on one line."""
    source = (ROOT / f"{page}.md").read_text(encoding="utf-8")
    source = re.sub(r"^```\{toctree\}\n(.*?)^```$", said_in_toctree, source, flags=re.M | re.S)
    source = re.sub(r"^```.*?^```$|<!--.*?-->", "\0", source, flags=re.M | re.S)
    return " ".join(source.split())


def said_in_toctree(found):
    said = re.findall(r"^:caption: (.+)$|^(.+) <.+>$", found[1], re.M)
    return " \0 ".join(caption or title for caption, title in said)


@pytest.mark.parametrize("page", TRANSLATION.pages())
def test_the_catalogue_of_a_page_has_all_its_texts_and_no_others(page):
    text, texts = written(page), sorted(CATALOGUES[page], key=len, reverse=True)
    gone = [english for english in texts if english not in text]
    for english in texts:
        text = text.replace(english, "\0")
    new = [left.strip(" #|-*\n") for left in text.split("\0") if re.search("[A-Za-z]{2}", left)]
    assert not new, f"{page}.md: these have no Chinese, {HOW}:{listed(new)}"
    assert not gone, f"{page}.md no longer has these, {HOW}:{listed(gone)}"


def test_the_catalogue_of_what_is_made_of_the_code_has_all_its_texts_and_no_others():
    asked = TRANSLATION.generated()
    new = [english for english in asked if english not in CATALOGUES["generated"]]
    gone = [english for english in CATALOGUES["generated"] if english not in set(asked)]
    assert not new, f"these texts of the code have no Chinese, {HOW}:{listed(new)}"
    assert not gone, f"the code no longer has these, {HOW}:{listed(gone)}"


STRUCTURE = {
    "code": r"`[^`]+`",
    "links": r"(?<=\]\()[^)\s]+(?=\))",
    "tags": r"</?[a-z]\w*>",
    "places": r"\{\}",
    "numbers": r"\d+(?:[.,]\d+)*",
    "names": r"[A-Za-z]\w*_[\w{}+-]*|[A-Za-z]+\.[a-z]\w+|(?<![a-z])[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*",
    "symbols": r"[=^⊙σ√Σ∂±]|(?<= )[*+/](?= )|>|<",
    "emphasis": r"\*\*|(?<![\s*])\*|\*(?![\s*])",
}


def structure(text):
    """What a translation keeps."""
    found = {}
    for kind, pattern in STRUCTURE.items():
        found[kind] = Counter(re.findall(pattern, text, re.ASCII))
        if kind in ("code", "links", "tags"):
            text = re.sub(pattern, "", text)
    return found


def differences(english, chinese):
    """In what two texts differ, in words."""
    one, other = structure(english), structure(chinese)
    for kind in STRUCTURE:
        lost, added = list((one[kind] - other[kind]).elements()), list((other[kind] - one[kind]).elements())
        if lost or added:
            yield f"{kind}: lost {lost}, added {added}"


@pytest.mark.parametrize("name", CATALOGUES)
def test_chinese_has_the_code_links_numbers_and_formulas_of_the_english(name):
    wrong = [
        f"{english}\n  {chinese}\n    {one}"
        for english, (chinese, _) in CATALOGUES[name].items()
        for one in differences(english, chinese)
    ]
    assert not wrong, listed(wrong)


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("Run `numseq demo`.", "运行 `numseq train`。"),
        ("See [training](training.md).", "见[训练](decoding.md)。"),
        ("6,000 dates", "6000 个日期"),
        ("h<sub>t</sub>", "h<sub>t"),
        ("W_h (H, H)", "W_x (H, H)"),
        ("y = x W", "y 等于 x W"),
        ("a *loss*", "损失"),
        ("The {}:", "字段："),
    ],
)
def test_a_difference_is_seen(english, chinese):
    assert list(differences(english, chinese))


def test_chinese_is_chinese():
    same = [english for _, english, chinese in MESSAGES if not HAN.search(chinese) and "=" not in english]
    sentences = [text for text in same if len(re.findall(r"(?<![\w(])[a-z]{3,}(?![\w(.])", text)) > 2]
    assert not sentences, f"these are not translated:{listed(sentences)}"


def glossary():
    """The Chinese names of the glossary, by all its English ones."""
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^- \*\*(.*?)\*\* (.*?)[:,(]", text, re.M))


@pytest.mark.parametrize("term", TERMS)
def test_a_term_has_the_chinese_name_that_the_glossary_gives_it(term):
    names = "\n".join(f"{english}: {chinese}" for english, chinese in glossary().items())
    assert re.search(rf"{term}.*: .*{TERMS[term][0]}", names, re.I), f"{term} {TERMS[term][0]} is not in the glossary"
    asked = re.compile(rf"(?<![\w.`/#-]){term}(?:s|es)?(?![\w(.`/-])(?! =)", re.I)
    without = [
        f"{english}\n  {chinese}"
        for name, english, chinese in MESSAGES
        if term.lower() in english.lower()
        and asked.search(re.sub(r"`[^`]*`|\([^)\s]*\)|\"[^\"]*\"", "", english))
        and not any(known in chinese.lower() for known in TERMS[term])
        and not (name == "generated" and re.search(rf"\b{term}\b", chinese, re.ASCII))  # a name of the code
    ]
    assert not without, f"{term} is {' or '.join(TERMS[term])}:{listed(without)}"


ENGLISH, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))


def outline(text):
    """What the two READMEs share, part by part: headings, code, tables, links, code in a line and numbers."""
    code = re.findall(r"^```.*?^```$", text, re.M | re.S)
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    text = re.sub(r"^\[\S+\]\(README\S*\)$", "", text, flags=re.M)  # to the other language
    parts = []
    for part in re.split(r"^(?=#+ )", text, flags=re.M)[1:]:
        rows = [row.count(" | ") for row in part.split("\n") if row.startswith("|")]
        kept = {kind: Counter(re.findall(STRUCTURE[kind], part)) for kind in ("code", "links", "numbers")}
        parts.append({"level": part.index(" "), "rows": rows, "paragraphs": len(re.findall("\n\n+", part)), **kept})
    return code, parts


def test_the_chinese_readme_has_the_headings_code_tables_and_links_of_the_english():
    (code, parts), (their_code, their_parts) = outline(ENGLISH), outline(CHINESE)
    assert their_code == code, "README.zh-CN.md: the code is that of README.md, to the letter"
    assert len(parts) == len(their_parts)
    for one, other in zip(parts, their_parts, strict=True):
        assert other == one


def test_the_readmes_lead_to_each_other():
    assert "[中文](README.zh-CN.md)" in ENGLISH and "[English](README.md)" in CHINESE
