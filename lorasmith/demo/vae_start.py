"""The VAE's first weights: chosen so that it already passes on the mean colour of each 8 x 8 block.

A VAE from random weights still mixed up colours after half an hour on one core. Here three channels carry red, green and blue through
all shortcuts, the inner branches start at zero, and training only has to add the shapes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import AutoencoderKL
from torch import nn
from torch.nn.functional import avg_pool2d

from lorasmith.demo.tiny_sd import build_vae

_COLOURS = range(3)
_STEADY = 3.0  # the size of the constant channels that keep a group norm's deviation, and so the colours, steady
_LINEAR = 3.0  # silu(x + 3) is almost straight for x in -1..1
_QUIET = -6.0  # the first log-variance of the latents


@torch.no_grad()
def fresh_vae(pictures: torch.Tensor) -> AutoencoderKL:
    """Makes a VAE that gives back the block colours of `pictures` (n x 3 x h x w in -1..1) and others."""
    vae = build_vae()
    for name, module in vae.named_modules():
        if name.endswith((".conv2", ".to_out.0")):
            module.weight.zero_()
            module.bias.zero_()
    _start_encoder(vae.encoder)
    _start_decoder(vae.decoder)
    latents = range(vae.config.latent_channels)
    for conv in (vae.quant_conv, vae.post_quant_conv):
        conv.weight.zero_()
        conv.bias.zero_()
        _pass_on(conv, latents, latents)
    vae.quant_conv.bias[len(latents) :] = _QUIET
    _calibrate(vae, pictures)
    return vae


def _start_encoder(encoder: nn.Module) -> None:
    _pass_on(encoder.conv_in, _COLOURS, _COLOURS)
    for block in encoder.down_blocks:
        _pass_shortcuts(block, _COLOURS)
        for down in block.downsamplers or ():
            _pass_on(down.conv, _COLOURS, _COLOURS)
            for colour in _COLOURS:
                down.conv.weight[colour, colour] = 0.0
                down.conv.weight[colour, colour, :2, :2] = 0.25
    norm = encoder.conv_norm_out
    group = norm.num_channels // norm.num_groups
    steady = encoder.mid_block.resnets[-1].conv2.bias
    pairs = (group - len(_COLOURS)) // 2
    for pair in range(pairs):
        steady[3 + 2 * pair], steady[4 + 2 * pair] = _STEADY, -_STEADY
    norm.weight[:3] = _STEADY * (2 * pairs / group) ** 0.5
    norm.bias[:3] = _LINEAR
    _pass_on(encoder.conv_out, _COLOURS, _COLOURS)


def _start_decoder(decoder: nn.Module) -> None:
    norm = decoder.conv_norm_out
    group = norm.num_channels // norm.num_groups
    spread = range(0, 3 * group, group)
    _pass_on(decoder.conv_in, _COLOURS, _COLOURS)
    for block in decoder.up_blocks:
        _pass_shortcuts(block, spread if block is decoder.up_blocks[-1] else _COLOURS)
        for up in block.upsamplers or ():
            _pass_on(up.conv, _COLOURS, _COLOURS)
    steady = decoder.up_blocks[-1].resnets[-1].conv2.bias
    for first in spread:
        steady[first + 1], steady[first + 2] = _STEADY, -_STEADY
        norm.weight[first] = _STEADY * (2.0 / group) ** 0.5
        norm.bias[first] = _LINEAR
    decoder.conv_out.weight.mul_(0.1)
    _pass_on(decoder.conv_out, spread, _COLOURS)


def _pass_shortcuts(block: nn.Module, targets: Sequence[int]) -> None:
    for resnet in block.resnets:
        if resnet.conv_shortcut is not None:
            _pass_on(resnet.conv_shortcut, _COLOURS, targets)


def _pass_on(conv: nn.Conv2d, sources: Sequence[int], targets: Sequence[int]) -> None:
    """Makes a convolution hand some channels on unchanged, and drop everything else from the channels they land on."""
    middle = conv.kernel_size[0] // 2
    for source, target in zip(sources, targets, strict=True):
        conv.weight[target] = 0.0
        conv.weight[target, source, middle, middle] = 1.0
        if conv.bias is not None:
            conv.bias[target] = 0.0


def _calibrate(vae: AutoencoderKL, pictures: torch.Tensor) -> None:
    """Fits gain and shift of both last convolutions, so that the carried colours have their own size again."""
    colours = avg_pool2d(pictures, 8)
    _refit(vae.encoder.conv_out, vae.encode(pictures).latent_dist.mean, colours)
    drawn = vae.decode(vae.encode(pictures).latent_dist.mean).sample
    _refit(vae.decoder.conv_out, avg_pool2d(drawn, 8), colours)


def _refit(conv: nn.Conv2d, got: torch.Tensor, wanted: torch.Tensor) -> None:
    for colour in _COLOURS:
        x, y = got[:, colour].flatten(), wanted[:, colour].flatten()
        gain = ((x - x.mean()) * (y - y.mean())).mean() / x.var()
        conv.weight[colour] *= gain
        if conv.bias is not None:
            conv.bias[colour] = conv.bias[colour] * gain + y.mean() - gain * x.mean()
