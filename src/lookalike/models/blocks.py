"""Layers shared by several models.

Shapes: N images, C or I or O channels, H × W pixels, S = 128 pixels a side, T tokens, E numbers a token, K bits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lookalike.models.base import SIDE


class MinMax(nn.Module):
    """Images uint8 (N, S, S) → float32 (N, 1, S, S) that span [0, 1]; a constant image becomes 0.

    The paper scales "between [0, 1] with the minmax scalar" and does not say whether minimum and maximum are those
    of the image or of the data set. Here they are the image's, so that a change of brightness or contrast without
    clipping does not change the code.
    """

    def forward(self, images_NSS: Tensor) -> Tensor:
        x_N1SS = images_NSS.to(torch.float32).unsqueeze(1)
        low_N111 = x_N1SS.amin(dim=(2, 3), keepdim=True)
        high_N111 = x_N1SS.amax(dim=(2, 3), keepdim=True)
        return (x_N1SS - low_N111) / (high_N111 - low_N111).clamp(min=1.0)


class SimAM(nn.Module):
    """x weighted by each element's deviation from its channel, (N, C, H, W); without parameters.

    Yang et al., "SimAM: A Simple, Parameter-Free Attention Module" (2021), equation 5, as in their code.
    """

    def forward(self, x_NCHW: Tensor) -> Tensor:
        height, width = x_NCHW.shape[2:]
        d_NCHW = (x_NCHW - x_NCHW.mean(dim=(2, 3), keepdim=True)).square()  # (x − μ)²
        v_NC11 = d_NCHW.sum(dim=(2, 3), keepdim=True) / (height * width - 1)
        y_NCHW = d_NCHW / (4 * (v_NC11 + 1e-4)) + 0.5  # 1/e*, the inverse of the minimal energy; λ = 1e-4
        return x_NCHW * torch.sigmoid(y_NCHW)


class _UpsampledConv(nn.Conv2d):
    """Nearest-neighbour upsampling by two, then a 3 × 3 convolution: (N, I, H, W) → (N, O, 2H, 2W).

    Both are computed at once, as a transposed convolution with a 4 × 4 kernel: the 3 × 3 one spread over 2 × 2 equal
    pixels. The result is the same, with 4 instead of 9 multiplications, in half the time on a CPU.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, x_NIHW: Tensor) -> Tensor:
        return functional.conv_transpose2d(x_NIHW, self._kernel(), self.bias, stride=2, padding=1)

    def _kernel(self) -> Tensor:
        flipped_IO33 = self.weight.transpose(0, 1).flip(2, 3)
        spread_IO44 = sum(functional.pad(flipped_IO33, (i, 1 - i, j, 1 - j)) for i in (0, 1) for j in (0, 1))
        assert isinstance(spread_IO44, Tensor)
        return spread_IO44


def conv_layer(inputs: int, outputs: int, *, size: int = 3, stride: int = 2) -> nn.Sequential:
    """A convolution that divides the side by `stride`, with BatchNorm and ReLU: (N, I, H, W) → (N, O, H/2, W/2)."""
    convolution = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def _up_layer(inputs: int, outputs: int) -> nn.Sequential:
    """The reverse of `conv_layer`: (N, I, H, W) → (N, O, 2H, 2W)."""
    convolution = _UpsampledConv(inputs, outputs, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


class ConvDecoder(nn.Module):
    """Latents (N, K) → images in [0, 1], (N, 1, S, S): the layers of a convolutional encoder in reverse order."""

    def __init__(self, bits: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        first, second, third, last = channels
        self.side = SIDE // 2 ** len(channels)
        self.project = nn.Linear(bits, last * self.side**2)
        self.layers = nn.Sequential(
            _up_layer(last, third),
            _up_layer(third, second),
            _up_layer(second, first),
            _UpsampledConv(first, 1),
            nn.Sigmoid(),
        )

    def forward(self, z_NK: Tensor) -> Tensor:
        h_NHWC = self.project(z_NK).unflatten(1, (self.side, self.side, -1))
        x_N1SS: Tensor = self.layers(h_NHWC.permute(0, 3, 1, 2))  # already in channels-last memory order
        return x_N1SS


class TransformerBlock(nn.Module):
    """Pre-norm self-attention and a two-layer perceptron, each added to its input: (N, T, E) → (N, T, E).

    Dosovitskiy et al., "An Image is Worth 16x16 Words" (2021), equations 2 and 3.
    """

    def __init__(self, embedding: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(embedding)
        self.to_qkv = nn.Linear(embedding, 3 * embedding)
        self.from_heads = nn.Linear(embedding, embedding)
        self.mlp = nn.Sequential(
            nn.LayerNorm(embedding), nn.Linear(embedding, 4 * embedding), nn.GELU(), nn.Linear(4 * embedding, embedding)
        )

    def _attend(self, x_NTE: Tensor) -> Tensor:
        """Multi-head self-attention, (N, T, E)."""
        qkv_NT3HD = self.to_qkv(x_NTE).unflatten(2, (3, self.heads, -1))
        q_NHTD, k_NHTD, v_NHTD = qkv_NT3HD.permute(2, 0, 3, 1, 4).unbind(0)
        h_NHTD = functional.scaled_dot_product_attention(q_NHTD, k_NHTD, v_NHTD)
        out_NTE: Tensor = self.from_heads(h_NHTD.transpose(1, 2).flatten(2))
        return out_NTE

    def forward(self, x_NTE: Tensor) -> Tensor:
        x_NTE = x_NTE + self._attend(self.attention_norm(x_NTE))  # equation 2
        out_NTE: Tensor = x_NTE + self.mlp(x_NTE)  # equation 3
        return out_NTE
