"""The library's random numbers (kernels/random) in numpy: Philox 4x32-10 (Salmon et al., SC11)."""

import numpy
import torch

# Three known answers of the authors' Random123: counter, key, words.
KNOWN_ANSWERS = [
    ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0],
     [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]),
]
LOW = numpy.uint64(0xFFFFFFFF)


def philox(counter, key):
    """Four words from counters of four words and a key of two, lowest first; all words as uint64."""
    for _ in range(10):
        first, second = numpy.uint64(0xD2511F53) * counter[0], numpy.uint64(0xCD9E8D57) * counter[2]
        counter = [(second >> numpy.uint64(32)) ^ counter[1] ^ key[0], second & LOW,
                   (first >> numpy.uint64(32)) ^ counter[3] ^ key[1], first & LOW]
        key = [(key[0] + numpy.uint64(0x9E3779B9)) & LOW, (key[1] + numpy.uint64(0xBB67AE85)) & LOW]
    return counter


def words(count, seed, stream):
    """`count` words, the counter being (element / 4, stream) and the key the seed."""
    quads = numpy.arange((count + 3) // 4, dtype=numpy.uint64)
    counter = [quads & LOW, quads >> numpy.uint64(32), numpy.full_like(quads, stream), numpy.zeros_like(quads)]
    return numpy.stack(philox(counter, [numpy.uint64(seed), numpy.uint64(0)]), axis=1).reshape(-1)[:count]


def uniform(count, seed, stream):
    """[0, 1) with 24 bits."""
    return torch.from_numpy((words(count, seed, stream) >> numpy.uint64(8)).astype(numpy.float64) / 2**24)


def normal(count, seed, stream):
    """Box and Muller's pairs: the first word makes the radius, the second the angle."""
    pairs = words(count + count % 2, seed, stream).astype(numpy.float64).reshape(-1, 2)
    radius, angle = numpy.sqrt(-2 * numpy.log((pairs[:, 0] + 0.5) / 2**32)), 2 * numpy.pi * pairs[:, 1] / 2**32
    return torch.from_numpy(numpy.stack([radius * numpy.cos(angle), radius * numpy.sin(angle)], axis=1).reshape(-1)[:count])


for counter, key, answer in KNOWN_ANSWERS:
    as_words = [numpy.array([word], dtype=numpy.uint64) for word in counter]
    assert [int(word[0]) for word in philox(as_words, [numpy.uint64(word) for word in key])] == answer
