"""The convolution on decay trees written in PyTorch: neighbours gathered and summed by index or by sparse matrices, then
one product with the three weights side by side."""

import warnings

import torch
from peer import Gradient, activate

warnings.filterwarnings("ignore", message="Sparse .* tensor support is in beta")


class Links:
    """(node, neighbour, factor) for mothers and daughters, and every node's own factor."""

    def __init__(self, offsets, mother, dtype, normalization):
        self.nodes = nodes = len(mother)
        device = mother.device
        sizes = (offsets[1:] - offsets[:-1]).long()
        event = torch.repeat_interleave(torch.arange(len(sizes), device=device), sizes)
        inside = torch.arange(nodes, device=device) >= int(offsets[0])
        inside &= torch.arange(nodes, device=device) < int(offsets[-1])
        first = torch.zeros(nodes, dtype=torch.long, device=device)
        first[inside] = offsets[:-1].long()[event]
        self.daughter = torch.nonzero(inside & (mother >= 0)).squeeze(1)
        self.mother = mother.long()[self.daughter] + first[self.daughter]
        one = torch.ones(len(self.daughter), dtype=dtype, device=device)
        count = torch.zeros(nodes, dtype=dtype, device=device).index_add_(0, self.mother, one)
        self.own = inside.to(dtype)[:, None]
        self.inside = None if bool(inside.all()) else inside[:, None]
        self.to_daughter, self.to_mother = one[:, None], one[:, None]
        if normalization == "mean":
            self.to_mother = (1 / count[self.mother])[:, None]
        elif normalization == "symmetric":
            degree = 1 + count + torch.zeros_like(count).index_fill_(0, self.daughter, 1)
            self.own = self.own / degree[:, None]
            self.to_daughter = self.to_mother = (degree[self.daughter] * degree[self.mother]).rsqrt()[:, None]
        self.plain = normalization == "none"
        self.scales_self = normalization == "symmetric"

    def matrix(self, rows, columns, values):
        return torch.sparse_coo_tensor(torch.stack([rows, columns]), values.squeeze(1),
                                       (self.nodes, self.nodes)).coalesce().to_sparse_csr()


def finish(links, parts, weights, bias, activation):
    y = activate(torch.nn.functional.linear(torch.cat(parts, dim=1), torch.cat(weights, dim=1), bias), activation)
    return y if links.inside is None else torch.where(links.inside, y, torch.zeros_like(y))


def by_index(links, activation):
    def forward(x, own, parent, daughters, bias):
        from_mother = torch.zeros_like(x).index_copy(0, links.daughter, x[links.mother] * links.to_daughter)
        from_daughters = torch.zeros_like(x).index_add(0, links.mother, x[links.daughter] * links.to_mother)
        itself = x * links.own if links.scales_self else x
        return finish(links, [itself, from_mother, from_daughters], [own, parent, daughters], bias, activation)

    return forward


def by_matrix(links, activation):
    to_daughter = links.matrix(links.daughter, links.mother, links.to_daughter)
    to_mother = links.matrix(links.mother, links.daughter, links.to_mother)

    def forward(x, own, parent, daughters, bias):
        itself = x * links.own if links.scales_self else x
        return finish(links, [itself, to_daughter @ x, to_mother @ x], [own, parent, daughters], bias, activation)

    return forward


def forms(offsets, mother, dtype, normalization, activation):
    links = Links(offsets, mother, dtype, normalization)
    return {"PyTorch index_add": by_index(links, activation), "PyTorch CSR": by_matrix(links, activation)}


def tree_conv_forward(offsets, mother, x, self, parent, daughters, bias, normalization, activation):
    found = forms(offsets, mother, x.dtype, normalization, activation)
    return {name: (lambda form=form: form(x, self, parent, daughters, bias)) for name, form in found.items()}


def tree_conv_backward(offsets, mother, x, self, parent, daughters, bias, y, dy, normalization, activation):
    found = forms(offsets, mother, x.dtype, normalization, activation)
    return {name: Gradient(form, (x, self, parent, daughters, bias), dy) for name, form in found.items()}
