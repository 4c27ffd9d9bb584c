"""The rule in PyTorch on the CPU, float32. Variants:

argsort  what the usual ports do, line by line: powers by pow, a full sort, a dense second product
topk     the same rule, as fast as we could make it in PyTorch: powers by multiplication, topk, only the rows that change
product  scores alone
"""

import handover

ARGS = handover.arguments()

import numpy as np  # noqa: E402 (the number of threads is set above)
import torch  # noqa: E402


def main(args):
    torch.set_num_threads(args.threads)
    weights = torch.from_numpy(np.load(f"{args.dir}/weights.npy"))
    pixels = torch.from_numpy(np.load(f"{args.dir}/inputs.npy"))
    with torch.inference_mode():
        if args.variant == "product":
            examples = pixels.to(torch.float32)
            result = torch.empty(args.batch, weights.shape[0])
            samples = handover.timed(args, lambda _: torch.mm(examples, weights.T, out=result))
        else:
            rates = np.load(f"{args.dir}/rates.npy").tolist()
            examples = pixels / 255.0
            learn = {"argsort": learn_argsort, "topk": learn_topk}[args.variant]
            samples = handover.timed(args, lambda minibatch: learn(args, weights, examples, rates, minibatch))
            result = weights
    np.save(args.out, result.numpy())
    handover.answer(f"torch {torch.__version__}", samples)


def learn_argsort(args, weights, examples, rates, minibatch):
    batch = args.batch
    visible = examples[minibatch * batch : (minibatch + 1) * batch].T
    currents = torch.matmul(weights.sign() * weights.abs().pow(args.p - 1.0), visible)
    order = currents.argsort(dim=0)
    g = torch.zeros_like(currents)
    columns = torch.arange(batch)
    g[order[-1], columns] = 1.0
    g[order[-args.k], columns] = -args.delta
    decay = (g * currents).sum(dim=1, keepdim=True)
    change = torch.matmul(g, visible.T) - decay * weights
    weights += rates[minibatch] * change / change.abs().max().clamp(min=1e-30)


def learn_topk(args, weights, examples, rates, minibatch):
    batch = args.batch
    visible = examples[minibatch * batch : (minibatch + 1) * batch]
    currents = torch.mm(visible, powers(weights, args.p).T)
    best, units = currents.topk(args.k, dim=1)
    ends = [0, args.k - 1]
    coefficients = torch.tensor([1.0, -args.delta])
    active, rows = torch.unique(units[:, ends], return_inverse=True)
    g = torch.zeros(active.numel(), batch)
    g.index_put_((rows.T, torch.arange(batch).expand(2, batch)), coefficients[:, None].expand(2, batch), accumulate=True)
    decay = torch.zeros(active.numel())
    decay.index_add_(0, rows.reshape(-1), (best[:, ends] * coefficients).reshape(-1))
    old = weights[active]
    change = torch.mm(g, visible) - decay[:, None] * old
    weights[active] = old + (rates[minibatch] / max(change.abs().max().item(), 1e-30)) * change


def powers(weights, p):
    if p == 2.0:
        return weights
    if p == 3.0:
        return weights * weights.abs()
    square = weights * weights
    if p == 4.0:
        return weights * square
    if p == 5.0:
        return weights * weights.abs() * square
    return weights.sign() * weights.abs().pow(p - 1.0)


main(ARGS)
