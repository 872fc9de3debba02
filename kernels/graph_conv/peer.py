"""PyTorch Geometric's GCNConv, and what PyTorch offers to write the layer by hand: sparse CSR and COO matrices, gather and
index_add, and, where the graph falls into small ones of equal size, batched dense products. All but GCNConv, which
computes it at every call, use a normalised adjacency prepared once."""

import warnings

import torch
from peer import Gradient, activate

warnings.filterwarnings("ignore", message="Sparse .* tensor support is in beta")


class Adjacency:
    """The normalised adjacency: edges (target, source, weight) with the loops that the options ask for."""

    def __init__(self, row_offsets, sources, edge_weights, dtype, normalization, self_loops):
        start, end = int(row_offsets[0]), int(row_offsets[-1])
        self.nodes = nodes = len(row_offsets) - 1
        sizes = (row_offsets[1:] - row_offsets[:-1]).long()
        self.edge_targets = torch.repeat_interleave(torch.arange(nodes, device=sources.device), sizes)
        self.edge_sources = sources[start:end].long()
        self.edge_weights = None if edge_weights is None else edge_weights[start:end]
        target, source = self.edge_targets, self.edge_sources
        weight = torch.ones(len(source), dtype=dtype, device=source.device) if edge_weights is None else self.edge_weights
        if self_loops:
            loop = torch.ones(nodes, dtype=dtype, device=source.device)
            own = target == source
            for node, value in zip(target[own].tolist(), weight[own].tolist()):
                loop[node] = value  # of several the last counts
            every = torch.arange(nodes, device=source.device)
            target, source = torch.cat([target[~own], every]), torch.cat([source[~own], every])
            weight = torch.cat([weight[~own], loop])
        degree = torch.zeros(nodes, dtype=dtype, device=source.device).index_add_(0, target, weight)
        if normalization == "symmetric":
            factor = degree.pow(-0.5).masked_fill(degree == 0, 0)
            weight = factor[target] * weight * factor[source]
        elif normalization == "row":
            weight = weight * (1 / degree).masked_fill(degree == 0, 0)[target]
        self.coo = torch.sparse_coo_tensor(torch.stack([target, source]), weight, (nodes, nodes)).coalesce()
        self.csr = self.coo.to_sparse_csr()
        self.target, self.source = self.coo.indices()  # sorted by target
        self.weight = self.coo.values()

    def block_size(self):
        """The size of the blocks if the matrix is block diagonal with equal ones, else None."""
        node = torch.arange(self.nodes, device=self.target.device)
        reach = node.clone().scatter_reduce_(0, self.target, self.source, "amax").cummax(0).values
        back = node.clone().scatter_reduce_(0, self.target, self.source, "amin").flip(0).cummin(0).values.flip(0)
        is_cut = reach <= node
        is_cut[:-1] &= back[1:] > node[:-1]
        last = torch.cat([node.new_full((1,), -1), torch.nonzero(is_cut).squeeze(1)])
        smallest = int(torch.diff(last).max()) if self.nodes else 1
        for size in range(smallest, min(self.nodes // 2, 256) + 1):
            if self.nodes % size == 0 and bool(is_cut[size - 1 :: size].all()):
                return size
        return None

    def blocks(self, size):
        dense = self.weight.new_zeros(self.nodes // size, size, size)
        dense.index_put_((self.target // size, self.target % size, self.source % size), self.weight, accumulate=True)
        return dense


def by_matrix(matrix, activation, wide_first):
    def forward(x, weight, bias):
        z = matrix @ (x @ weight.t()) if wide_first else (matrix @ x) @ weight.t()
        return activate(z if bias is None else z + bias, activation)

    return forward


def by_index(adjacency, activation):
    target, source, scale = adjacency.target, adjacency.source, adjacency.weight[:, None]

    def forward(x, weight, bias):
        h = x @ weight.t()
        z = torch.zeros_like(h).index_add_(0, target, h.index_select(0, source) * scale)
        return activate(z if bias is None else z + bias, activation)

    return forward


def by_blocks(blocks, activation):
    def forward(x, weight, bias):
        h = x @ weight.t()
        z = torch.bmm(blocks, h.view(len(blocks), -1, h.shape[1])).view(h.shape)
        return activate(z if bias is None else z + bias, activation)

    return forward


def by_geometric(adjacency, inputs, outputs, activation, normalization, self_loops):
    if normalization == "row" or (normalization == "none" and self_loops):
        return None
    try:
        from torch_geometric.nn import GCNConv
    except ImportError:
        return None
    layer = GCNConv(inputs, outputs, add_self_loops=bool(self_loops), normalize=normalization == "symmetric", bias=False)
    layer = layer.to(adjacency.weight.device)
    edges = torch.stack([adjacency.edge_sources, adjacency.edge_targets])

    def forward(x, weight, bias):
        # The layer's own parameters give way to the given ones, so that gradients reach them.
        z = torch.func.functional_call(layer, {"lin.weight": weight}, (x, edges, adjacency.edge_weights))
        return activate(z if bias is None else z + bias, activation)

    return forward


def forms(row_offsets, sources, edge_weights, x, weight, activation, normalization, self_loops):
    adjacency = Adjacency(row_offsets, sources, edge_weights, x.dtype, normalization, self_loops)
    outputs, inputs = weight.shape
    wide_first = outputs <= inputs
    found = {
        "PyG GCNConv": by_geometric(adjacency, inputs, outputs, activation, normalization, self_loops),
        "PyTorch CSR": by_matrix(adjacency.csr, activation, wide_first),
        "PyTorch COO": by_matrix(adjacency.coo, activation, wide_first),
        "PyTorch index_add": by_index(adjacency, activation),
    }
    size = adjacency.block_size()
    if size:
        found["PyTorch dense per tree"] = by_blocks(adjacency.blocks(size), activation)
    return {name: form for name, form in found.items() if form}


def graph_conv_forward(row_offsets, sources, edge_weights, x, weight, bias, normalization, self_loops, activation):
    found = forms(row_offsets, sources, edge_weights, x, weight, activation, normalization, self_loops)
    return {name: (lambda form=form: form(x, weight, bias)) for name, form in found.items()}


def graph_conv_backward(row_offsets, sources, edge_weights, transposed_offsets, targets, edges, x, weight, bias, y, dy,
                        normalization, self_loops, activation):
    found = forms(row_offsets, sources, edge_weights, x, weight, activation, normalization, self_loops)
    return {name: Gradient(form, (x, weight, bias), dy) for name, form in found.items()}
