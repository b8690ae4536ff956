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
        return unicodedata.normalize(self.said["type"], text)


def part(kind):
    return lambda: Part(type=kind)


def Regex(pattern):
    return {"Regex": pattern}


models = SimpleNamespace(WordLevel=lambda unk_token: unk_token)
normalizers = SimpleNamespace(NFC=part("NFC"), NFKC=part("NFKC"))
decoders = SimpleNamespace(Fuse=part("Fuse"))
pre_tokenizers = SimpleNamespace(
    WhitespaceSplit=part("WhitespaceSplit"),
    Split=lambda pattern, behavior: Part(type="Split", pattern=pattern, behavior=behavior.capitalize(), invert=False),
)
trainers = SimpleNamespace(WordLevelTrainer=lambda **options: SimpleNamespace(**options))


class Tokenizer:
    """A vocabulary, {token: id}, and how text is cut. A token that it does not have is `unknown`."""

    normalizer = pre_tokenizer = decoder = None

    def __init__(self, unknown):
        self.unknown, self.special, self.ids = unknown, [], {}

    def train_from_iterator(self, lines, trainer):
        counts = Counter(text for line in lines for text, _ in self._cut(line))
        often = [
            text for text, n in counts.items() if n >= trainer.min_frequency and text not in trainer.special_tokens
        ]
        self.special = trainer.special_tokens
        self._number([*self.special, *sorted(often, key=lambda text: (-counts[text], text))])

    def _number(self, tokens):
        self.tokens, self.ids = tokens, {token: k for k, token in enumerate(tokens)}

    def _cut(self, line):
        """Each token of a line, and from where to where it goes."""
        line = self.normalizer.normalize_str(line) if self.normalizer else line
        pattern = r"[\s\S]" if self.pre_tokenizer.said["type"] == "Split" else r"\S+"
        return [(found[0], found.span()) for found in re.finditer(pattern, line)]

    def encode(self, line):
        cut = self._cut(line)
        unknown = self.ids[self.unknown]
        return SimpleNamespace(
            ids=[self.ids.get(text, unknown) for text, _ in cut], offsets=[place for _, place in cut]
        )

    def encode_batch(self, lines):
        return [self.encode(line) for line in lines]

    def decode(self, ids, skip_special_tokens):
        return ("" if self.decoder else " ").join(self.tokens[k] for k in ids)

    def get_vocab_size(self):
        return len(self.ids)

    def id_to_token(self, k):
        return self.tokens[k]

    def to_str(self, pretty):
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False) | {"special": True}
        added = [{"id": k, "content": token, **flags} for k, token in enumerate(self.special)]
        parts = {name: one and one.said for name, one in self._parts().items()}
        model = {"type": "WordLevel", "vocab": self.ids, "unk_token": self.unknown}
        said = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added}
        said |= {"normalizer": parts["normalizer"], "pre_tokenizer": parts["pre_tokenizer"], "post_processor": None}
        return json.dumps(said | {"decoder": parts["decoder"], "model": model}, indent=2, ensure_ascii=False)

    def _parts(self):
        return {name: getattr(self, name) for name in ("normalizer", "pre_tokenizer", "decoder")}

    @classmethod
    def from_str(cls, text):
        said = json.loads(text)
        made = cls(said["model"]["unk_token"])
        for name in made._parts():
            setattr(made, name, said[name] and Part(**said[name]))
        made.special = [token["content"] for token in said["added_tokens"]]
        vocabulary = said["model"]["vocab"]
        made._number(sorted(vocabulary, key=vocabulary.get))
        return made
