r"""The grammar of regular expressions as words, as in `( [ <VOW> ] ) . * ( <M0> ) { 3 , }`.

Classes stand in brackets, <M0> and so on for words of the source; & is both, ~ is not, and \ b a word's edge.
"""

REGULAR_EXPRESSIONS = r"""
regex    = branch | regex "|" branch | regex "&" branch
branch   = piece | branch piece
piece    = atom | piece "*" | piece "+" | piece "?" | piece "{" count "}" | "~" piece
count    = number | number "," | number "," number
number   = digit | number digit
digit    = "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9"
atom     = "(" regex ")" | "[" class "]" | "." | word | "\" "b"
class    = kind | class kind
kind     = "<VOW>" | "<NUM>" | "<LET>" | "<CAP>" | "<LOW>" | word
word     = "<M0>" | "<M1>" | "<M2>" | "<M3>" | "<M4>" | "<M5>" | "<M6>" | "<M7>" | "<M8>" | "<M9>"
"""
