"""Studies: small experiments on what the layers do, as arrays; `numseq.plots` draws them."""
