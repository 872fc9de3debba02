"""PyTorch's fused optimisers, on copies of parameters and state."""

import torch


def accumulate(x, y, scale):
    sum_ = y.clone()

    def run():
        sum_.add_(x, alpha=scale)
        return sum_

    return {"PyTorch": run}


def sgd(gradient, parameter, velocity, learning_rate, momentum, weight_decay, nesterov, step):
    trained = parameter.clone().requires_grad_()
    trained.grad = gradient.clone()
    with_velocity = velocity is not None
    optimizer = torch.optim.SGD([trained], lr=learning_rate, momentum=momentum if with_velocity else 0,
                                weight_decay=weight_decay, nesterov=bool(nesterov) and with_velocity, fused=True)
    if with_velocity and step > 1:
        optimizer.state[trained]["momentum_buffer"] = velocity.clone()

    def run():
        optimizer.step()
        return trained.detach(), optimizer.state[trained].get("momentum_buffer") if with_velocity else None

    return {"PyTorch, fused": run}


def adam(gradient, parameter, mean, square, learning_rate, beta1, beta2, epsilon, weight_decay, decoupled, step):
    trained = parameter.clone().requires_grad_()
    trained.grad = gradient.clone()
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    optimizer = kind([trained], lr=learning_rate, betas=(beta1, beta2), eps=epsilon, weight_decay=weight_decay, fused=True)
    state = optimizer.state[trained]
    state["step"] = torch.tensor(float(step - 1), device=parameter.device)
    state["exp_avg"], state["exp_avg_sq"] = mean.clone(), square.clone()

    def run():
        optimizer.step()
        return trained.detach(), state["exp_avg"], state["exp_avg_sq"]

    return {"PyTorch, fused": run}
