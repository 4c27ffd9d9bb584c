"""Shared by all Python peers: arguments, timing and the answer.

rivalry starts `PROGRAM --kind KIND --variant V --dir DIR --out FILE --batch B --warmup N --minibatches M --threads T`, for
the rule with `--p P --k K --delta D`, for learners and patches with `--settings JSON`. DIR holds inputs.npy (u8, [samples,
inputs], in the order of the minibatches), labels.npy (u8, one for each sample) and rates.npy (f32, one for each minibatch);
for the rule weights.npy (f32, [hidden, inputs]), else NAME.npy (f32) for every name in the list `tensors` of the settings.
The program computes N minibatches as warm-up and then times M. It writes its result (weights, scores [batch, hidden], the
tensors one after another, or the features of the warm-up) to FILE as f32 or f64, and prints one line of JSON:
{"version": "…", "samples_ns": [one integer for each timed minibatch]}.

For the rule rivalry also sets OMP_WAIT_POLICY=passive and KMP_BLOCKTIME=0, so that idle workers sleep instead of spinning.
It kills a program that takes longer than `--limit`.
"""

import argparse
import json
import os
import time


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("kind", "variant", "dir", "out"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("batch", "warmup", "minibatches", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("p", "delta"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--k", type=int, default=0)
    parser.add_argument("--settings", type=json.loads, default={})
    args = parser.parse_args()
    # The libraries read these when they are imported. rivalry sets them too; this is for a run by hand.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(args.threads)
    return args


def timed(args, step):
    """Calls step(minibatch) for the warm-up, then for the timed minibatches. Returns their times in ns."""
    for minibatch in range(args.warmup):
        step(minibatch)
    samples = []
    for minibatch in range(args.warmup, args.warmup + args.minibatches):
        start = time.perf_counter_ns()
        step(minibatch)
        samples.append(time.perf_counter_ns() - start)
    return samples


def answer(version, samples):
    print(json.dumps({"version": version, "samples_ns": samples}))
