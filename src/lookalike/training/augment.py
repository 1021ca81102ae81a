"""What is done to the images that the encoder sees while the undisturbed ones are reconstructed. Not in the paper.

An image is scaled by its own least and greatest pixel, which recompression moves a little. A disturbed scale and a
little noise teach the encoder not to mind.

Shapes: N images, S pixels a side.
"""

from __future__ import annotations

import torch
from torch import Tensor

NOISE = 0.25  # standard deviation of the noise, in units of the jitter


def disturb(x_N1SS: Tensor, jitter: float, *, generator: torch.Generator) -> Tensor:
    """Each image times 1 ± jitter plus ± jitter (uniform), and with Gaussian noise; itself if jitter is 0."""
    if jitter == 0:
        return x_N1SS
    device = x_N1SS.device
    uniform_2N111 = torch.rand(2, len(x_N1SS), 1, 1, 1, generator=generator, device=device)
    scale_N111, shift_N111 = 2 * jitter * (uniform_2N111 - 0.5)
    noise_N1SS = torch.randn(x_N1SS.shape, generator=generator, device=device)
    disturbed_N1SS: Tensor = x_N1SS * (1 + scale_N111) + shift_N111 + NOISE * jitter * noise_N1SS
    return disturbed_N1SS
