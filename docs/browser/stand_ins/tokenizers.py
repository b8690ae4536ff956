"""A plain stand-in for tokenizers, which no package registry has for browsers: words and characters, as
numseq has them. Its files are those of the library."""

import json
import re
import unicodedata
from collections import Counter
from types import SimpleNamespace

SPACE = r"[^\S\x1c-\x1f]"  # what the library takes for white space: Python has four control characters more


class Part:
    """A part of a tokenizer: what the file says of it."""

    def __init__(self, **said):
        self.said = said

    def normalize_str(self, text):
        if self.said["type"] == "Sequence":
            for step in self.said["normalizers"]:
                text = Part(**step).normalize_str(text)
            return text
        if self.said["type"] == "Lowercase":  # letter by letter, so that no sigma is a final one
            return "".join(letter.lower() for letter in text)
        return unicodedata.normalize(self.said["type"], text)

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
    """A vocabulary, {token: id}, and how text is cut: first at tags, {as it is looked for: tag}, with their spaces. A
    token that it does not have is unknown."""

    normalizer = pre_tokenizer = decoder = None
    tags = {}

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
        line, cut, start = self._normalized(line), [], 0
        either = "|".join(map(re.escape, self.tags))
        for found in re.finditer(f"{SPACE}*({either}){SPACE}*", line) if self.tags else ():
            cut += [*self._pieces(line, start, found.start()), (found[1], found.span())]
            start = found.end()
        return cut + self._pieces(line, start, len(line))

    def _pieces(self, line, start, end):
        """Words or characters of a part of a line without tags."""
        pattern = r"[\s\S]" if self.pre_tokenizer.said["type"] == "Split" else r"[\S\x1c-\x1f]+"
        return [(found[0], found.span()) for found in re.compile(pattern).finditer(line, start, end)]

    def _normalized(self, text):
        return self.normalizer.normalize_str(text) if self.normalizer else text

    def encode(self, line):
        cut = self._cut(line)
        ids = [self.ids.get(self.tags.get(text, text), self.ids[self.model["unk_token"]]) for text, _ in cut]
        tokens = [text if text in self.tags else self.tokens[k] for k, (text, _) in zip(ids, cut, strict=True)]
        return SimpleNamespace(ids=ids, tokens=tokens, offsets=[place for _, place in cut])

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
        tags = [token["content"] for token in said["added_tokens"] if not token["special"]]
        made.tags = {made._normalized(tag): tag for tag in tags}
        return made
