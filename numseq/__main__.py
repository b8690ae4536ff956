"""`python -m numseq` is `numseq`."""

from numseq.cli import main

main()
