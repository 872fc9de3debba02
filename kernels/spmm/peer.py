"""Sparse times dense in PyTorch (CSR, COO) and scipy, each on a matrix prepared once."""

import warnings

import torch
from peer import Gradient

warnings.filterwarnings("ignore", message="Sparse .* tensor support is in beta")


def sparse_csr(row_offsets, sources, weights, columns):
    # Rows may share a subrange of the edges only.
    start, end = int(row_offsets[0]), int(row_offsets[-1])
    return torch.sparse_csr_tensor(row_offsets - start, sources[start:end], weights[start:end],
                                   (len(row_offsets) - 1, columns))


def spmm_forward(row_offsets, sources, edge_weights, x):
    weights = torch.ones(len(sources), dtype=x.dtype, device=x.device) if edge_weights is None else edge_weights
    csr = sparse_csr(row_offsets, sources, weights, len(x))
    coo = csr.to_sparse_coo().coalesce()
    peers = {"PyTorch CSR": lambda: csr @ x, "PyTorch COO": lambda: torch.sparse.mm(coo, x)}
    if x.device.type == "cpu":
        import scipy.sparse

        matrix = scipy.sparse.csr_matrix((csr.values().numpy(), csr.col_indices().numpy(), csr.crow_indices().numpy()),
                                         shape=csr.shape)
        dense = x.numpy()
        peers["scipy CSR"] = lambda: torch.from_numpy(matrix @ dense)
    return peers


def spmm_backward(transposed_offsets, targets, edges, edge_weights, dy):
    weights = (torch.ones(len(targets), dtype=dy.dtype, device=dy.device) if edge_weights is None
               else edge_weights[edges.long()])
    transposed = sparse_csr(transposed_offsets, targets, weights, len(dy))
    # What autograd does with a matrix that has no gradient: one product with its transpose, here
    # prepared as CSR.
    return {"PyTorch CSR, transposed beforehand": lambda: transposed @ dy}
