"""What is learnt: noise goes on the latents, the U-Net says what it hears, and each picture's error is weighed."""

from dataclasses import dataclass

import torch

from lorasmith.checkpoints.conditioning import Conditioning, predict
from lorasmith.checkpoints.load import BaseModel
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.loss import PixelLoss, Weighting, losses_of
from lorasmith.training.noise import alphas_cumprod, noised, target


@dataclass(frozen=True)
class Noised:
    """Latents [b, 4, h, w] with what they are mixed with, and where in the process [b]; all on the device."""

    latents: torch.Tensor
    noise: torch.Tensor  # what is to be found
    input_noise: torch.Tensor  # what goes on the latents
    timesteps: torch.Tensor


class Objective:
    """The loss of a base model under some settings."""

    def __init__(self, model: BaseModel, settings: TrainSettings) -> None:
        self.model = model
        alphas = alphas_cumprod(model.family.zero_terminal_snr)
        self.alphas = alphas.to(model.device)
        self.weights = Weighting.of(settings).table(alphas, model.prediction_type).to(model.device)
        self.cost = PixelLoss.of(settings)

    def losses(
        self, batch: Noised, conditioning: Conditioning, masks: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Gives the loss of each picture [b], weighed by its timestep."""
        alphas = self.alphas[batch.timesteps]
        error = self.errors(batch, conditioning)
        return losses_of(self.cost(error, batch.timesteps, alphas), masks) * self.weights[batch.timesteps]

    def errors(self, batch: Noised, conditioning: Conditioning) -> torch.Tensor:
        """Gives what the U-Net says less what it should, [b, 4, h, w] in fp32."""
        alphas = self.alphas[batch.timesteps]
        # The noisy latents want no gradient: blocks before the first adapter cost nothing on the way back.
        noisy = noised(batch.latents, batch.input_noise, alphas).to(self.model.dtype)
        said = predict(self.model, noisy, batch.timesteps, conditioning)
        return said.float() - target(batch.latents, batch.noise, alphas, self.model.prediction_type).float()
