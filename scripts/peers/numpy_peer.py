"""The rule in NumPy as the paper's author wrote it: a product gives scores, a full sort ranks, a second product changes.

Source of the algorithm: D. Krotov's notebook for Krotov & Hopfield 2019. Variants: float64 (his), float32.
"""

import handover

ARGS = handover.arguments()

import numpy as np  # noqa: E402 (the number of threads is set above)


def main(args):
    dtype = np.dtype(args.variant)
    weights = np.load(f"{args.dir}/weights.npy").astype(dtype)
    pixels = np.load(f"{args.dir}/inputs.npy")
    if args.kind == "score":
        examples = pixels.astype(dtype)
        scores = np.empty((args.batch, weights.shape[0]), dtype)
        samples = handover.timed(args, lambda _: np.matmul(examples, weights.T, out=scores))
        result = scores
    else:
        rates = np.load(f"{args.dir}/rates.npy").astype(dtype)
        # He scales the whole data set once, too.
        examples = (pixels / 255.0).astype(dtype)
        samples = handover.timed(args, lambda minibatch: learn(args, weights, examples, rates, minibatch))
        result = weights
    np.save(args.out, result)
    handover.answer(f"numpy {np.__version__}", samples)


def learn(args, weights, examples, rates, minibatch):
    batch = args.batch
    hidden, inputs = weights.shape
    visible = examples[minibatch * batch : (minibatch + 1) * batch].T
    currents = np.dot(np.sign(weights) * np.absolute(weights) ** (args.p - 1.0), visible)
    order = np.argsort(currents, axis=0)
    g = np.zeros((hidden, batch), weights.dtype)
    g[order[hidden - 1], np.arange(batch)] = 1.0
    g[order[hidden - args.k], np.arange(batch)] = -args.delta
    decay = np.sum(np.multiply(g, currents), 1)
    change = np.dot(g, visible.T) - np.multiply(np.tile(decay.reshape(hidden, 1), (1, inputs)), weights)
    largest = max(np.amax(np.absolute(change)), 1e-30)
    weights += rates[minibatch] * np.true_divide(change, largest)


main(ARGS)
