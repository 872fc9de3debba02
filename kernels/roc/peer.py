"""The area under the curve from a sort and running sums, in PyTorch, float64; exact where scores do not tie."""

import torch


def roc(scores, labels, weights, efficiencies):
    if efficiencies is not None or len(scores.unique()) != len(scores):
        return {}
    signal = labels != 0

    def run():
        order = torch.argsort(scores, descending=True)
        w = torch.ones(len(scores), dtype=torch.float64) if weights is None else weights[order].double()
        s = torch.where(signal[order], w, 0.0)
        b = w - s
        kept = s.cumsum(0)
        return ((b * kept).sum() / (kept[-1] * b.sum()),)

    return {"PyTorch sort and cumsum": run}
