"""Augmentations of whole batches, as tensors: edits that people and programs make to pictures.

Crops, rotations, borders and letterboxes are a single resampling; outside the image there is black, white, one colour,
or another picture. Colours, blur, noise, captions and pasted objects follow. `imaging.edits` has the single edits at
full size that evaluate models; these are random combinations of them, at training speed.

Shapes: B images, R pixels a side as read, S pixels a side as an encoder expects, C = 3 channels.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lookalike.imaging.decode import Array

GREY = (0.299, 0.587, 0.114)  # weights of red, green and blue (ITU-R BT.601)


def edited(images_NSS: Array, *, seed: int) -> Array:
    """Edited copies of grey images, uint8 (N, S, S), reproducible by seed."""
    x_N3SS = torch.tensor(images_NSS)[:, None].expand(-1, 3, -1, -1).to(torch.float32) / 255
    copies_N3SS = Edits(torch.Generator().manual_seed(seed), side=images_NSS.shape[-1]).edited(x_N3SS)
    return np.asarray((255 * grey(copies_N3SS)[:, 0]).round().to(torch.uint8).numpy())


class Edits:
    """Random edits of images (B, C, R, R) in [0, 1] on the CPU, from one random generator."""

    def __init__(self, generator: torch.Generator, *, side: int) -> None:
        self.generator, self.side = generator, side

    def edited(self, x_BCRR: Tensor) -> Tensor:
        """A copy of each image, (B, C, S, S), with several edits or hardly any."""
        x_BCSS = self._placed(x_BCRR)
        x_BCSS = self._pasted(x_BCSS)
        x_BCSS = self._captioned(x_BCSS)
        x_BCSS = self._coloured(x_BCSS)
        x_BCSS = self._blurred(x_BCSS)
        return self._noisy(x_BCSS).clamp(0, 1)

    def slightly(self, x_BCRR: Tensor) -> Tensor:
        """Each image, (B, C, S, S), unchanged or with another brightness and a little noise."""
        x_BCSS = resized(x_BCRR, self.side)
        changed = self._noisy(self._toned(x_BCSS, 0.2)).clamp(0, 1)
        return torch.where(self._chosen(x_BCSS, 0.5), changed, x_BCSS)

    def _placed(self, x_BCRR: Tensor) -> Tensor:
        """Images cropped, rotated, shifted or with borders, on a background."""
        count = len(x_BCRR)
        grid = functional.affine_grid(
            self._places(x_BCRR), [count, 3, 2 * self.side, 2 * self.side], align_corners=False
        )
        inside = torch.ones(count, 1, *x_BCRR.shape[2:])
        sampled = functional.grid_sample(torch.cat([x_BCRR, inside], dim=1), grid, align_corners=False)
        sampled = functional.avg_pool2d(sampled, 2)  # sampled at twice the resolution, against aliasing
        image, cover = sampled[:, :3], sampled[:, 3:]
        return image + (1 - cover) * self._ground(x_BCRR)

    def _places(self, x_BCRR: Tensor) -> Tensor:
        """Affine transforms from positions in the copy to positions in the image, (B, 2, 3)."""
        count = len(x_BCRR)
        # Visible share of each side; above 1, there is a border.
        part = torch.where(self._chance(count, 0.5), self._between(count, 0.45, 0.95), torch.ones(count))
        border = self._chance(count, 0.15)  # most are removed before encoding (`borders`)
        part = torch.where(border, self._between(count, 1.02, 1.6), part)
        one_way = border & self._chance(count, 0.5)  # a letterbox
        wide = self._chance(count, 0.5)
        stretch = torch.where(self._chance(count, 0.4), self._between(count, -0.25, 0.25), torch.zeros(count)).exp()
        across = torch.where(one_way & wide, torch.ones(count), part * stretch)
        down = torch.where(one_way & ~wide, torch.ones(count), part / stretch)
        angle = self._between(count, -1, 1)
        angle = angle * torch.where(self._chance(count, 0.25), math.radians(45), math.radians(18))
        angle = torch.where(self._chance(count, 0.4), angle, torch.zeros(count))
        room_x, room_y = (1 - across).abs(), (1 - down).abs()  # crops are anywhere, borders mostly symmetric
        even = torch.where(border & self._chance(count, 0.7), 0.0, 1.0)
        move_x, move_y = (room * even * self._between(count, -1, 1) for room in (room_x, room_y))
        cos, sin = angle.cos(), angle.sin()
        skew = torch.where(self._chance(count, 0.2), self._between(count, -0.2, 0.2), torch.zeros(count))
        rows = [across * cos, -down * sin + skew, move_x, across * sin, down * cos, move_y]
        return torch.stack(rows, dim=1).view(count, 2, 3)

    def _ground(self, x_BCRR: Tensor) -> Tensor:
        """Backgrounds: black, white, a colour, or another picture, enlarged."""
        count = len(x_BCRR)
        colour = torch.rand(count, 3, 1, 1, generator=self.generator)
        kind = torch.rand(count, 1, 1, 1, generator=self.generator)
        colour = torch.where(kind < 0.45, torch.zeros(()), torch.where(kind < 0.75, torch.ones(()), colour))
        others = resized(x_BCRR.roll(1, dims=0), self.side)
        return torch.where(kind > 0.93, others, colour)

    def _pasted(self, x_BCSS: Tensor) -> Tensor:
        """Images, some with a pasted box of one colour, text or another picture."""
        for chance in (0.25, 0.15):
            box = self._box(x_BCSS, least=0.08, most=0.45)
            kind = torch.rand(len(x_BCSS), 1, 1, 1, generator=self.generator)
            colour = torch.rand(len(x_BCSS), 3, 1, 1, generator=self.generator)
            pasted = torch.where(kind < 0.4, colour, self._writing(x_BCSS))
            pasted = torch.where(kind < 0.75, pasted, x_BCSS.roll(2, dims=0))
            x_BCSS = torch.where(box & self._chosen(x_BCSS, chance), pasted, x_BCSS)
        over = self._box(x_BCSS, least=0.05, most=0.9) & (self._writing(x_BCSS)[:, :1] > 0.5)  # only the letters
        ink = self._chance(len(x_BCSS), 0.5).view(-1, 1, 1, 1).to(x_BCSS.dtype)
        return torch.where(over & self._chosen(x_BCSS, 0.2), ink, x_BCSS)

    def _captioned(self, x_BCSS: Tensor) -> Tensor:
        """Images, some with a band of text at the top, bottom or both, as in memes."""
        count, side = len(x_BCSS), x_BCSS.shape[-1]
        place = torch.linspace(0, 1, side).view(1, 1, side, 1)
        top, bottom = (self._between(count, 0.05, 0.25).view(-1, 1, 1, 1) for _ in range(2))
        above = (place < top) & self._chance(count, 0.7).view(-1, 1, 1, 1)
        below = (place > 1 - bottom) & self._chance(count, 0.7).view(-1, 1, 1, 1)
        light = self._chance(count, 0.5).view(-1, 1, 1, 1)
        letters = self._writing(x_BCSS)[:, :1] * 0.9
        band = torch.where(light, 1 - letters, letters)
        return torch.where((above | below) & self._chosen(x_BCSS, 0.18), band.expand_as(x_BCSS), x_BCSS)

    def _writing(self, x_BCSS: Tensor) -> Tensor:
        """Rows of marks that resemble text, (B, 3, S, S) of 0 and 1."""
        count, side = len(x_BCSS), x_BCSS.shape[-1]
        marks = (torch.rand(count, 1, side // 2, side // 2, generator=self.generator) < 0.4).to(x_BCSS.dtype)
        rows = (torch.arange(side // 2) % 6 < 4).view(1, 1, -1, 1)
        return functional.interpolate(marks * rows, size=(side, side)).expand(-1, 3, -1, -1)

    def _coloured(self, x_BCSS: Tensor) -> Tensor:
        """Images, some with other brightness, contrast, saturation, white balance, in grey, or posterised."""
        toned = self._toned(x_BCSS, 0.6)
        x_BCSS = torch.where(self._chosen(x_BCSS, 0.75), toned, x_BCSS)
        flat_B1SS = grey(x_BCSS)
        colour = self._between(len(x_BCSS), 0.0, 2.0).view(-1, 1, 1, 1)
        colour = torch.where(self._chosen(x_BCSS, 0.5), torch.zeros(()), colour)
        x_BCSS = torch.where(self._chosen(x_BCSS, 0.45), flat_B1SS + colour * (x_BCSS - flat_B1SS), x_BCSS).clamp(0, 1)
        warmth = 1 + 0.3 * (2 * torch.rand(len(x_BCSS), 3, 1, 1, generator=self.generator) - 1)
        x_BCSS = torch.where(self._chosen(x_BCSS, 0.2), x_BCSS * warmth, x_BCSS).clamp(0, 1)
        tones = torch.where(self._chance(len(x_BCSS), 0.5), 3.0, 7.0).view(-1, 1, 1, 1)
        return torch.where(self._chosen(x_BCSS, 0.05), (x_BCSS * tones).round() / tones, x_BCSS)

    def _toned(self, x_BCSS: Tensor, strength: float) -> Tensor:
        """Images with other brightness, contrast and gamma, each changed by up to 2^±2·strength."""
        count = len(x_BCSS)
        brightness, contrast, gamma = (
            (2 ** (2 * self._between(count, -strength, strength))).view(-1, 1, 1, 1) for _ in range(3)
        )
        mean = x_BCSS.mean(dim=(1, 2, 3), keepdim=True)
        lit = torch.where(self._chosen(x_BCSS, 0.5), x_BCSS * brightness, x_BCSS).clamp(0, 1)
        hard = torch.where(self._chosen(x_BCSS, 0.5), mean + contrast * (lit - mean), lit).clamp(1e-4, 1)
        return torch.where(self._chosen(x_BCSS, 0.4), hard**gamma, hard)

    def _blurred(self, x_BCSS: Tensor) -> Tensor:
        """Images, some downscaled and enlarged again, others sharpened."""
        side = x_BCSS.shape[-1]
        for least, most, chance in ((-2.8, -1.4, 0.25), (-1.8, -0.3, 0.25)):  # of the side, as powers of 2
            small = int(2 ** self._between(1, least, most).item() * side)
            soft = resized(resized(x_BCSS, small), side)
            x_BCSS = torch.where(self._chosen(x_BCSS, chance), soft, x_BCSS)
        return torch.where(self._chosen(x_BCSS, 0.1), (2 * x_BCSS - soft).clamp(0, 1), x_BCSS)

    def _noisy(self, x_BCSS: Tensor) -> Tensor:
        """Images, some with Gaussian noise."""
        size = self._between(len(x_BCSS), 0.0, 0.12).view(-1, 1, 1, 1)
        noise = torch.randn(x_BCSS.shape, generator=self.generator)
        return torch.where(self._chosen(x_BCSS, 0.25), x_BCSS + size * noise, x_BCSS)

    def _box(self, x_BCSS: Tensor, *, least: float, most: float) -> Tensor:
        """Masks (B, 1, S, S) of a random box, with sides in shares of the image's."""
        count, side = len(x_BCSS), x_BCSS.shape[-1]
        place = torch.linspace(0, 1, side)
        inside = []
        for _ in range(2):
            length = self._between(count, least, most)
            begin = self._between(count, 0, 1) * (1 - length)
            inside.append((place >= begin[:, None]) & (place <= (begin + length)[:, None]))
        return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]

    def _between(self, count: int, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=self.generator)

    def _chance(self, count: int, share: float) -> Tensor:
        return torch.rand(count, generator=self.generator) < share

    def _chosen(self, x_BCSS: Tensor, share: float) -> Tensor:
        """Masks (B, 1, 1, 1) of a random share of the images."""
        return self._chance(len(x_BCSS), share).view(-1, 1, 1, 1)


def grey(x_BCSS: Tensor) -> Tensor:
    """Images in grey, (B, 1, S, S)."""
    return (x_BCSS * torch.tensor(GREY).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def resized(x_BCRR: Tensor, side: int) -> Tensor:
    """Images scaled to (B, C, S, S), smoothed like Pillow's when reduced."""
    if x_BCRR.shape[-1] == side:
        return x_BCRR
    return functional.interpolate(x_BCRR, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
