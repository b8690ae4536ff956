"""Sound to frames and back: files of sound and of features, the spectrum on the mel scale, and what is heard of it."""

from numseq.data.sound.cache import FramesOfFiles, cached_frames
from numseq.data.sound.feature_files import read_features
from numseq.data.sound.features import FeatureOptions, Statistics, features, file_frames
from numseq.data.sound.griffin_lim import hear, write_wav
from numseq.data.sound.reading import read_sound, sound_blocks
from numseq.data.sound.spec_augment import SpecAugmentOptions, spec_augment

__all__ = [
    "FeatureOptions", "FramesOfFiles", "SpecAugmentOptions", "Statistics", "cached_frames", "features", "file_frames",
    "hear", "read_features", "read_sound", "sound_blocks", "spec_augment", "write_wav",
]  # fmt: skip
