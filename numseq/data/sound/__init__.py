"""Sound to frames and back: files of sound and of features, the spectrum on the mel scale, and what is heard of it."""
