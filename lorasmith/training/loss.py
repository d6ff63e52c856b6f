"""The training loss: a pixel's error, what of a picture counts, and how much each timestep counts.

Formulas: min-SNR arXiv:2303.09556, debiased estimation arXiv:2310.08442, huber with a timestep's scale arXiv:2403.16728.
The table of signal-to-noise ratios is that of the schedule as it is used, also with zero terminal SNR.
"""

from dataclasses import dataclass

import torch

from lorasmith.settings.tables import TrainSettings

_MOST_SNR = 1000.0  # debiased estimation counts no timestep's ratio higher
_LAST = 1000  # timesteps


@dataclass(frozen=True)
class Weighting:
    """How much a timestep counts: min-SNR's gamma (0 is off), or debiased estimation, and a factor for velocities."""

    min_snr_gamma: float = 0.0
    debiased: bool = False
    scale_v: bool = False

    @classmethod
    def of(cls, settings: TrainSettings) -> "Weighting":
        """Reads it off the settings."""
        return cls(settings.min_snr_gamma, settings.debiased, settings.scale_v_loss)

    def table(self, alphas: torch.Tensor, prediction_type: str) -> torch.Tensor:
        """Gives each timestep's weight [1000] from the cumulated alphas; finite where the ratio is 0."""
        snr = alphas / (1 - alphas)
        velocity = prediction_type == "v_prediction"
        weights = torch.ones_like(alphas)
        if self.debiased:
            weights = 1 / (snr + 1) if velocity else 1 / snr.clamp(min=1e-3, max=_MOST_SNR).sqrt()
        elif self.min_snr_gamma:
            limit = self.min_snr_gamma
            weights = snr.clamp(max=limit) / (snr + 1) if velocity else (limit / snr).clamp(max=1.0)
        return weights * snr / (snr + 1) if velocity and self.scale_v else weights


@dataclass(frozen=True)
class PixelLoss:
    """What an error of a latent's pixel costs."""

    kind: str = "l2"
    c: float = 0.1  # of huber and smooth_l1
    schedule: str = "snr"  # how c goes with the timestep: constant, exponential, snr

    @classmethod
    def of(cls, settings: TrainSettings) -> "PixelLoss":
        """Reads it off the settings."""
        return cls(settings.loss, settings.huber_c, settings.huber_schedule)

    def __call__(self, error: torch.Tensor, timesteps: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
        """Gives the cost of errors [b, c, h, w]; `alphas` [b] are the cumulated alphas of the timesteps [b]."""
        if self.kind == "l2":
            return error.square()
        if self.kind == "l1":
            return error.abs()
        c = self._c(timesteps, alphas)[:, None, None, None]
        scale = 2 * c if self.kind == "huber" else 2
        return scale * ((error.square() + c * c).sqrt() - c)

    def _c(self, timesteps: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
        if self.schedule == "constant":
            return torch.full_like(alphas, self.c)
        if self.schedule == "exponential":
            return torch.as_tensor(self.c, dtype=alphas.dtype, device=alphas.device) ** (timesteps / _LAST)
        sigma = ((1 - alphas) / alphas.clamp(min=1e-8)).sqrt()
        return (1 - self.c) / (1 + sigma).square() + self.c


def losses_of(costs: torch.Tensor, masks: torch.Tensor | None = None) -> torch.Tensor:
    """Gives the mean cost of each picture [b] out of costs [b, c, h, w], in fp32.

    With `masks` [b, 1, h, w] from 0 to 1 the mean is over what they cover: a small figure counts as much as a large one.
    """
    costs = costs.float()
    if masks is None:
        return costs.mean((1, 2, 3))
    return (costs * masks).sum((1, 2, 3)) / (masks.sum((1, 2, 3)).clamp(min=1e-6) * costs.shape[1])
