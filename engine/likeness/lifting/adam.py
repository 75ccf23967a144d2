"""Adam (Kingma and Ba 2015); torch's own imports its compiler, which takes two seconds that a few steps do not earn."""

from __future__ import annotations

import torch
from torch import Tensor

FIRST, SECOND = 0.6, 0.999
"""Share of the past that the running means of gradients and of their squares keep in a step. The usual 0.9 is slow to
turn: at 0.6, with higher rates, half as many steps come as near to a portrait."""
EPSILON = 1e-8


class Adam:
    """Moves parameters, each at a rate of its own, against their gradients."""

    def __init__(self, parameters: list[tuple[Tensor, float]]) -> None:
        self.parameters = parameters
        self.means = [(torch.zeros_like(p), torch.zeros_like(p)) for p, _ in parameters]
        self.steps = 0

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Take a step at the rates times `factor`, and clear the gradients."""
        self.steps += 1
        bias, square_bias = 1 - FIRST**self.steps, 1 - SECOND**self.steps
        for (parameter, rate), (mean, square) in zip(self.parameters, self.means, strict=True):
            mean.lerp_(parameter.grad, 1 - FIRST)
            square.mul_(SECOND).addcmul_(parameter.grad, parameter.grad, value=1 - SECOND)
            root = square.sqrt().mul_(square_bias**-0.5).add_(EPSILON)
            parameter.addcdiv_(mean, root, value=-rate * factor / bias)
            parameter.grad = None
