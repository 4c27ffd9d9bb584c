"""The other learners in PyTorch on the CPU, float32, as fast as we could make them: few calls, in place, nothing allocated
that is large. Kinds: slow, equilibrium-propagation, dendritic-microcircuit, and patches, which encodes images.

A learner takes its initial tensors by name, and in the end has them again as they have become.
"""

import handover

ARGS = handover.arguments()

import numpy as np  # noqa: E402 (the number of threads is set above)
import torch  # noqa: E402


def main(args):
    torch.set_num_threads(args.threads)
    tensors = {name: load(args, name) for name in args.settings["tensors"]}
    kinds = {
        "slow": Slow,
        "equilibrium-propagation": Equilibrium,
        "dendritic-microcircuit": Microcircuit,
        "patches": Patches,
    }
    with torch.inference_mode():
        learner = kinds[args.kind](args, args.settings, tensors)
        samples = handover.timed(args, learner.minibatch)
        result = learner.result(args)
    np.save(args.out, np.concatenate([part.numpy().ravel() for part in result]))
    handover.answer(f"torch {torch.__version__}", samples)


def load(args, name):
    return torch.from_numpy(np.load(f"{args.dir}/{name}.npy"))


def one_hot(args, classes):
    return torch.nn.functional.one_hot(load(args, "labels").long(), classes).float()


def rounded_up(columns):
    """Rows of whole cache lines, for which products are faster."""
    return -(-columns // 16) * 16


class Slow:
    """Krotov & Hopfield 2019, eqs. 8 and 9.

    With w < 1 the active units are those of the n largest currents, for the largest n whose last current is above the
    inhibition that these n exert. So `topk` finds them, with more candidates should all of them be active, and only rows of
    units that learn are in the second product.
    """

    def __init__(self, args, settings, tensors):
        self.batch, self.settings, self.tensors = args.batch, settings, tensors
        pixels = load(args, "inputs").float()
        self.x = pixels / pixels.norm(dim=1, keepdim=True)
        self.weights, self.rates = tensors["weights"], load(args, "rates").tolist()
        self.powers = torch.empty_like(self.weights)
        self.currents = torch.empty(args.batch, len(self.weights))
        self.candidates = min(16, len(self.weights))
        self.counts = torch.arange(1, len(self.weights) + 1)

    def minibatch(self, number):
        x = self.x[number * self.batch : (number + 1) * self.batch]
        delta, threshold = self.settings["delta"], self.settings["h_star"]
        torch.abs(self.weights, out=self.powers).pow_(self.settings["p"] - 2.0).mul_(self.weights)
        torch.mm(x, self.powers.T, out=self.currents)
        best, units, inhibition = self.steady_state()
        # (1 - w) h of active units: the threshold is a share of the largest, so the factor does not matter.
        h = best - inhibition
        learns = (h >= 0.0) & (h[:, :1] > 0.0)
        samples, places = learns.nonzero(as_tuple=True)
        g = torch.where(h >= threshold * h[:, :1], 1.0, -delta)[samples, places]
        active, rows = torch.unique(units[samples, places], return_inverse=True)
        coefficients = torch.zeros(len(active), self.batch)
        coefficients[rows, samples] = g
        decay = torch.zeros(len(active)).index_add_(0, rows, g * best[samples, places])
        old = self.weights[active]
        change = torch.mm(coefficients, x).addcmul_(decay[:, None], old, value=-1.0)
        low, high = change.aminmax()
        largest = max(high.item(), -low.item(), 1e-30)
        self.weights.index_copy_(0, active, old.add_(change, alpha=self.rates[number] / largest))

    def steady_state(self):
        """The largest currents in falling order, their units, and the inhibition of each sample."""
        w = self.settings["w_inh"]
        while True:
            best, units = self.currents.topk(self.candidates, dim=1)
            inhibition = best.cumsum(1).mul_(w).div_(1.0 - w + w * self.counts[: self.candidates])
            active = ((best > inhibition) & (best > 0.0)).sum(1, keepdim=True)
            if self.candidates == len(self.counts) or active.max().item() < self.candidates:
                return best, units, inhibition.gather(1, (active - 1).clamp_(min=0)).mul_(active > 0)
            self.candidates = min(2 * self.candidates, len(self.counts))

    def result(self, _):
        return self.tensors.values()


class Equilibrium:
    """Scellier & Bengio 2017 with states from zero, both signs of beta, whose phases are one minibatch of twice the size, and
    layers that move in turn by over-relaxation.

    A layer meets only its neighbours. So the odd layers side by side are one matrix of states, the even ones another, and a
    matrix `coupling` with all weights above the first layer connects the two: a step takes two products at any depth.
    """

    def __init__(self, args, settings, tensors):
        self.batch, self.tensors = args.batch, tensors
        self.free_steps, self.nudged_steps = settings["free_steps"], settings["nudged_steps"]
        self.epsilon, self.beta, alphas = settings["epsilon"], settings["beta"], settings["alphas"]
        inputs, *sizes = settings["sizes"]
        self.layers, top = range(len(sizes)), len(sizes) - 1
        self.x, self.d = load(args, "inputs").float() / 255.0, one_hot(args, sizes[-1])
        starts = [sum(sizes[k % 2 : k : 2]) for k in self.layers]
        self.columns = [slice(start, start + units) for start, units in zip(starts, sizes)]
        # More columns stay 0.
        widths = [rounded_up(sum(sizes[group::2])) for group in range(2)]
        coupling = torch.zeros(widths)
        self.drives = coupling.T, coupling
        self.weights, self.biases = [tensors["weight.1"]], [torch.zeros(width) for width in widths]
        for k in self.layers[1:]:
            even, odd = self.columns[k - k % 2], self.columns[k - 1 + k % 2]
            block = coupling[even, odd]
            self.weights.append(block.T if k % 2 else block)
            self.weights[k].copy_(tensors[f"weight.{k + 1}"])
        for k in self.layers:
            self.biases[k % 2][self.columns[k]] = tensors[f"bias.{k + 1}"]
        rates = load(args, "rates")[0].item()
        self.factors = [rates * alpha / (2.0 * self.beta * args.batch) for alpha in alphas]
        self.bias_factors = [torch.zeros(width) for width in widths]
        for k in self.layers:
            self.bias_factors[k % 2][self.columns[k]] = self.factors[k]
        rows = 2 * args.batch
        self.states, self.fixed, self.signed = ([torch.zeros(rows, width) for width in widths] for _ in range(3))
        self.keep = [torch.full((rows, width), 1.0 - self.epsilon) for width in widths]
        self.signs = torch.ones(rows, 1)
        self.signs[args.batch :] = -1.0
        # The curvature of F for nudged outputs.
        self.top, curvature = (top % 2, self.columns[top]), 1.0 + self.beta * self.signs
        self.nudged_keep = [keep.clone() for keep in self.keep]
        self.nudged_keep[top % 2][:, self.columns[top]] *= curvature
        self.share = 1.0 / curvature

    def relax(self, steps, rows, nudged):
        """s <- clip(s - epsilon / curvature * gradient), one group of layers and then the other."""
        keep = self.nudged_keep if nudged else self.keep
        states, fixed, keep = ([part[:rows] for part in parts] for parts in (self.states, self.fixed, keep))
        group, columns = self.top
        first = group if nudged else 0
        for _ in range(steps):
            for own in (first, 1 - first):
                out = torch.addcmul(fixed[own], states[own], keep[own], out=states[own])
                out.addmm_(states[1 - own], self.drives[own], alpha=self.epsilon)
                if nudged and own == group:
                    out[:, columns].mul_(self.share)
                out.clamp_(0.0, 1.0)

    def minibatch(self, number):
        batch, samples = self.batch, slice(number * self.batch, (number + 1) * self.batch)
        x = self.x[samples]
        for fixed, bias in zip(self.fixed, self.biases):
            torch.mul(bias.expand(batch, -1), self.epsilon, out=fixed[:batch])
        self.fixed[0][:batch, self.columns[0]].addmm_(x, self.weights[0].T, alpha=self.epsilon)
        # The first step from zero.
        (even, odd), free = self.states, slice(0, batch)
        torch.clamp(self.fixed[0][free], 0.0, 1.0, out=even[free])
        torch.addmm(self.fixed[1][free], even[free], self.drives[1], alpha=self.epsilon, out=odd[free]).clamp_(0.0, 1.0)
        self.relax(self.free_steps - 1, batch, nudged=False)
        for part in self.fixed + self.states:
            part[batch:] = part[:batch]
        group, columns = self.top
        strength = self.epsilon * self.beta
        self.fixed[group][:batch, columns].add_(self.d[samples], alpha=strength)
        self.fixed[group][batch:, columns].sub_(self.d[samples], alpha=strength)
        self.relax(self.nudged_steps, 2 * batch, nudged=True)
        self.learn(x)

    def learn(self, x):
        batch = self.batch
        changes = [states[:batch] - states[batch:] for states in self.states]
        self.weights[0].addmm_(changes[0][:, self.columns[0]].T, x, alpha=self.factors[0])
        for states, signed in zip(self.states, self.signed):
            torch.mul(states, self.signs, out=signed)
        for k in self.layers[1:]:
            own, below = self.signed[k % 2][:, self.columns[k]], self.states[1 - k % 2][:, self.columns[k - 1]]
            self.weights[k].addmm_(own.T, below, alpha=self.factors[k])
        for bias, change, factors in zip(self.biases, changes, self.bias_factors):
            bias.addcmul_(change.sum(0), factors)

    def result(self, _):
        for k in self.layers:
            self.tensors[f"weight.{k + 1}"] = self.weights[k]
            self.tensors[f"bias.{k + 1}"] = self.biases[k % 2][self.columns[k]]
        return self.tensors.values()


class Microcircuit:
    """Sacramento et al. 2018 in steady state, with W^PI = -W^down: the feedback is one product with a difference.

    Rates carry a column of ones for the biases. Pyramidal units and the interneurons that stand for them see the same rates,
    so their weights are one matrix, and their potentials lie side by side.
    """

    def __init__(self, args, settings, tensors):
        self.batch, self.tensors, self.settings = args.batch, tensors, settings
        inputs, *self.sizes = settings["sizes"]
        self.layers = range(len(self.sizes))
        self.x = with_ones(load(args, "inputs").float() / 255.0)
        on, off = settings["targets"]
        targets = one_hot(args, self.sizes[-1]) * (on - off) + off
        self.targets = (targets / (1.0 - targets)).log()
        self.weights = [in_lines(tensors["up.1"])]
        self.weights += [in_lines(torch.cat([tensors[f"up.{k + 1}"], tensors[f"ip.{k}"]])) for k in self.layers[1:]]
        self.down = [tensors[f"down.{k + 1}"].T for k in self.layers[:-1]]
        share = load(args, "rates")[0].item() / args.batch
        self.eta = []
        for weights, units, up, ip in zip(self.weights, self.sizes, settings["eta_up"], [0.0] + settings["eta_ip"]):
            eta = [torch.full((units,), share * up), torch.full((len(weights) - units,), share * ip)]
            self.eta.append(torch.cat(eta))
        # v and phi(v), u and phi(u), and what is learned, of pyramidal units and interneurons; then the two apart.
        self.v, self.v_rates, self.u, self.u_rates, self.changes = (
            [torch.empty(args.batch, len(weights)) for weights in self.weights] for _ in range(5)
        )
        self.v_apart, self.u_apart, self.after_apart = (
            [part.split([units, part.shape[1] - units], 1) for part, units in zip(parts, self.sizes)]
            for parts in (self.v, self.u, self.u_rates)
        )
        self.v_rates_pyramidal = [part[:, :units] for part, units in zip(self.v_rates, self.sizes)]
        self.differences = [torch.empty(args.batch, units) for units in self.sizes]
        self.rates = [with_ones(torch.empty(args.batch, units)) for units in self.sizes[:-1]]
        self.rates_alone = [rates[:, :-1] for rates in self.rates]

    def minibatch(self, number):
        samples = slice(number * self.batch, (number + 1) * self.batch)
        rates, top = [self.x[samples]] + self.rates, self.layers[-1]
        for k in self.layers:
            torch.mm(rates[k], self.weights[k].T, out=self.v[k])
            torch.sigmoid(self.v[k], out=self.v_rates[k])
            if k < top:
                self.rates_alone[k].copy_(self.v_rates_pyramidal[k])
        lambdas, lambda_interneuron = self.settings["lambdas"], self.settings["lambda_interneuron"]
        for k in reversed(self.layers):
            (v, v_interneurons), (u, u_interneurons) = self.v_apart[k], self.u_apart[k]
            if k == top:
                torch.lerp(v, self.targets[samples], lambdas[k], out=u)
            else:
                torch.addmm(v, self.differences[k + 1], self.down[k], alpha=lambdas[k], out=u)
            if k > 0:
                torch.lerp(v_interneurons, u, lambda_interneuron, out=u_interneurons)
            torch.sigmoid(self.u[k], out=self.u_rates[k])
            after, explained = self.after_apart[k]
            if k > 0:
                torch.sub(after, explained, out=self.differences[k])
            if k < top:
                self.rates_alone[k].copy_(after)
            torch.sub(self.u_rates[k], self.v_rates[k], out=self.changes[k]).mul_(self.eta[k])
        for weights, changes, below in zip(self.weights, self.changes, rates):
            weights.addmm_(changes.T, below)

    def result(self, _):
        for k, units in enumerate(self.sizes):
            self.tensors[f"up.{k + 1}"] = self.weights[k][:units]
            if k > 0:
                self.tensors[f"ip.{k}"] = self.weights[k][units:]
        return self.tensors.values()


def in_lines(matrix):
    """The same numbers with rows that begin at cache lines."""
    rows, columns = matrix.shape
    room = torch.zeros(rows, rounded_up(columns))[:, :columns]
    return room.copy_(matrix)


def with_ones(x):
    return in_lines(torch.cat([x, torch.ones(len(x), 1)], 1))


class Patches:
    """Coates, Ng & Lee 2011: whitened patches at unit length, the triangle of distances from filters, means of cells.

    Patches carry a one, and filters times -2 a two: the product is then the squared distance. Means of cells are a product,
    too.
    """

    def __init__(self, args, settings, tensors):
        self.batch, self.settings = args.batch, settings
        channels, height, width = settings["shape"]
        side, cells = settings["side"], settings["cells"]
        # With the channels of a pixel side by side, as in a patch.
        self.images = load(args, "inputs").reshape(-1, channels, height, width).permute(0, 2, 3, 1).float().contiguous()
        filters = tensors["filters"]
        self.filters = torch.cat([filters * -2.0, torch.full((len(filters), 1), 2.0)], 1).T.contiguous()
        self.mean, self.whitening = tensors["patch_mean"], tensors["patch_whitening"].T.contiguous()
        self.positions = (height - side + 1) * (width - side + 1)
        self.pooling = torch.zeros(cells * cells, height - side + 1, width - side + 1)
        edges = [[r * size // cells for r in range(cells + 1)] for size in self.pooling.shape[1:]]
        for cell, means in enumerate(self.pooling):
            row, column = divmod(cell, cells)
            part = means[edges[0][row] : edges[0][row + 1], edges[1][column] : edges[1][column + 1]]
            part.fill_(1.0 / part.numel())
        self.pooling = self.pooling.reshape(1, cells * cells, -1)
        rows = args.batch * self.positions
        self.patches, self.white = torch.empty(rows, len(self.mean)), torch.ones(rows, len(self.mean) + 1)
        self.distances = torch.empty(rows, len(filters))
        self.features = torch.empty(args.warmup + args.minibatches, args.batch, cells * cells, len(filters))

    def minibatch(self, number):
        side, patches, distances = self.settings["side"], self.patches, self.distances
        images = self.images[number * self.batch : (number + 1) * self.batch]
        views = images.unfold(1, side, 1).unfold(2, side, 1).permute(0, 1, 2, 4, 5, 3)
        patches.view(views.shape).copy_(views)
        variance, mean = torch.var_mean(patches, dim=1, correction=0, keepdim=True)
        patches.sub_(mean).mul_(variance.add_(self.settings["var_floor"]).rsqrt_()).sub_(self.mean)
        white = self.white[:, :-1]
        torch.mm(patches, self.whitening, out=white)
        white.div_(white.norm(dim=1, keepdim=True).clamp_(min=1e-30))
        torch.mm(self.white, self.filters, out=distances).clamp_(min=0.0).sqrt_()
        torch.sub(distances.mean(1, keepdim=True), distances, out=distances).clamp_(min=0.0)
        activations = distances.view(self.batch, self.positions, -1)
        torch.bmm(self.pooling.expand(self.batch, -1, -1), activations, out=self.features[number])

    def result(self, args):
        return [self.features[: args.warmup]]


main(ARGS)
