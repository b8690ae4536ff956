"""Booking a table: the bot asks for what was not said yet, in a fixed order, and then books.

1 hello<tab>hello , what can i do for you ?          2 a table in rome please<tab>which food would you like ?
"""

from numpy.random import Generator

from numseq.tasks.made.draw import Made, choose, draw

SLOTS = {  # what the bot asks for, in this order: its question, how it is said, and what it may be
    "food": ("which food would you like ?", "{} food", ("thai", "french", "indian", "greek", "korean")),
    "place": ("where should it be ?", "in {}", ("rome", "paris", "oslo", "lima", "cairo")),
    "number": ("for how many ?", "for {}", ("two", "three", "four", "six", "eight")),
    "price": ("at which price ?", "at a {} price", ("cheap", "moderate", "high")),
}
GREETINGS = ("hello", "good morning", "hi")
THANKS = ("thank you", "thanks a lot", "great")
SPEAKERS = ("<anna>", "<bo>")


def _dialogue(rng: Generator, speakers: bool = False) -> list[str]:
    wanted = {name: choose(rng, values) for name, (_, _, values) in SLOTS.items()}
    who = choose(rng, SPEAKERS) if speakers else None
    named = f"this is {who.strip('<>')} , " if who else ""
    lines = [(choose(rng, GREETINGS), f"hello , {named}what can i do for you ?")]
    known = {name for name in SLOTS if rng.random() < 0.5}
    order = [name for name in rng.permutation([*SLOTS]).tolist() if name in known]
    said = " ".join(["a table", *(SLOTS[name][1].format(wanted[name]) for name in order), "please"])
    for name, (question, phrase, _) in SLOTS.items():
        if name not in known:
            lines.append((said, question))
            said = choose(rng, (phrase, f"{phrase} please", f"i would say {phrase}")).format(wanted[name])
    lines.append((said, f"book {' '.join(wanted.values())}"))
    lines.append((choose(rng, THANKS), "you are welcome"))
    return [f"{user}\t{who + ' ' if who else ''}{bot}" for user, bot in lines]


def make_dialogues(n_train: int, n_valid: int, n_test: int, seed: int, speakers: bool = False) -> Made:
    """Dialogues, lists of lines without their numbers.

    Args: n_train, n_valid, n_test, seed. speakers: the bot is anna or bo, who say their name, and whose tag begins what
        they say.
    Raises: ArgumentError.
    """
    return draw(lambda rng: _dialogue(rng, speakers), (n_train, n_valid, n_test), seed, key=tuple)
