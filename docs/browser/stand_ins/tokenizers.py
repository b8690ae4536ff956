"""A plain stand-in for tokenizers, which no package registry has for browsers: words and characters, as
numseq has them. Its files are those of the library."""

import json
import re
import unicodedata
from collections import Counter
from types import SimpleNamespace


class Part:
    """A part of a tokenizer: what the file says of it."""

    def __init__(self, **said):
        self.said = said

    def normalize_str(self, text):
        if self.said["type"] == "Sequence":
            for step in self.said["normalizers"]:
                text = Part(**step).normalize_str(text)
            return text
        return text.lower() if self.said["type"] == "Lowercase" else unicodedata.normalize(self.said["type"], text)

    def decode(self, tokens):
        return "".join(tokens)


def part(kind):
    return lambda: Part(type=kind)


def Regex(pattern):
    return {"Regex": pattern}


def sub_words(**options):
    raise NotImplementedError(
        "sub-words need the library tokenizers, which browsers do not have: words or characters do"
    )


models = SimpleNamespace(
    WordLevel=lambda unk_token: {"type": "WordLevel", "vocab": {}, "unk_token": unk_token},
    BPE=sub_words,
    Unigram=sub_words,
)
normalizers = SimpleNamespace(
    NFC=part("NFC"),
    NFKC=part("NFKC"),
    NFD=part("NFD"),
    Lowercase=part("Lowercase"),
    Sequence=lambda steps: Part(type="Sequence", normalizers=[step.said for step in steps]),
)
pre_tokenizers = SimpleNamespace(
    WhitespaceSplit=part("WhitespaceSplit"),
    Split=lambda pattern, behavior: Part(type="Split", pattern=pattern, behavior=behavior.capitalize(), invert=False),
    Metaspace=sub_words,
)
trainers = SimpleNamespace(WordLevelTrainer=lambda **options: SimpleNamespace(**options))


class Tokenizer:
    """A vocabulary, {token: id}, and how text is cut. A token that it does not have is unknown."""

    normalizer = pre_tokenizer = decoder = None

    def __init__(self, model):
        self.model = model
        self._number(sorted(model["vocab"], key=model["vocab"].get))

    def train_from_iterator(self, lines, trainer):
        counts = Counter(text for line in lines for text, _ in self._cut(line))
        special = trainer.special_tokens
        often = [text for text, n in counts.items() if n >= trainer.min_frequency and text not in special]
        self._number([*special, *sorted(often, key=lambda text: (-counts[text], text))][: trainer.vocab_size])

    def _number(self, tokens):
        self.tokens, self.ids = tokens, {token: k for k, token in enumerate(tokens)}
        self.model["vocab"] = self.ids

    def _cut(self, line):
        """Each token of a line, and from where to where it goes."""
        line = self.normalizer.normalize_str(line) if self.normalizer else line
        pattern = r"[\s\S]" if self.pre_tokenizer.said["type"] == "Split" else r"\S+"
        return [(found[0], found.span()) for found in re.finditer(pattern, line)]

    def encode(self, line):
        cut = self._cut(line)
        ids = [self.ids.get(text, self.ids[self.model["unk_token"]]) for text, _ in cut]
        return SimpleNamespace(ids=ids, tokens=[self.tokens[k] for k in ids], offsets=[place for _, place in cut])

    def encode_batch(self, lines):
        return [self.encode(line) for line in lines]

    def decode(self, ids, skip_special_tokens):
        tokens = [self.tokens[k] for k in ids]
        return self.decoder.decode(tokens) if self.decoder else " ".join(tokens)

    def get_vocab_size(self):
        return len(self.ids)

    def id_to_token(self, k):
        return self.tokens[k]

    def token_to_id(self, token):
        return self.ids.get(token)

    def to_str(self):
        return json.dumps({"model": self.model}, ensure_ascii=False)

    @classmethod
    def from_str(cls, text):
        said = json.loads(text)
        if said["model"]["type"] != "WordLevel":
            sub_words()
        made = cls(said["model"])
        for name in ("normalizer", "pre_tokenizer", "decoder"):
            setattr(made, name, said[name] and Part(**said[name]))
        return made
