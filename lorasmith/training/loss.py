"""The training loss: squared error, each sample weighted by its signal-to-noise ratio."""

import torch


def snr_weights(alphas: torch.Tensor, gamma: float, prediction_type: str) -> torch.Tensor:
    """Gives each timestep's weight (min-SNR, arXiv:2303.09556) from the cumulated alphas; `gamma` 0 weights all with 1.

    min(snr, gamma) / snr for epsilon, whose limit at snr 0 is 1; min(snr, gamma) / (snr + 1) for v.
    """
    if not gamma:
        return torch.ones_like(alphas)
    snr = alphas / (1 - alphas)
    if prediction_type == "epsilon":
        return (gamma / snr).clamp(max=1.0)
    return snr.clamp(max=gamma) / (snr + 1)


def weighted_loss(prediction: torch.Tensor, wanted: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Gives the mean over the batch of weight [b] x mean squared error [b, c, h, w], in fp32."""
    each = (prediction.float() - wanted.float()).square().mean((1, 2, 3))
    return (each * weights).mean()
