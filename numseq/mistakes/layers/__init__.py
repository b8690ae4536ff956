"""What is known to go wrong, one file a layer, each where the layer has its own in `numseq.layers`."""
