"""What is done to the images that the encoder sees while the undisturbed ones are reconstructed. Not in the paper.

An image is scaled by its own least and greatest pixel, which recompression moves a little. A disturbed scale and a
little noise teach the encoder not to mind. Edited copies, cropped, turned, with borders or writing, teach it to see the
image that a copy was made of.

Shapes: N images, S pixels a side.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lookalike.imaging.decode import Array
from lookalike.training.inputs.edits import Edits, grey

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


def edited(images_NSS: Array, *, seed: int) -> Array:
    """Edited copies of grey images, uint8 (N, S, S); the same for the same seed. They are made in colour (`edits`)."""
    x_N3SS = torch.tensor(images_NSS)[:, None].expand(-1, 3, -1, -1).to(torch.float32) / 255
    copies_N3SS = Edits(torch.Generator().manual_seed(seed), side=images_NSS.shape[-1]).edited(x_N3SS)
    return np.asarray((255 * grey(copies_N3SS)[:, 0]).round().to(torch.uint8).numpy())
