"""The diffusion process, held against diffusers' scheduler."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from lorasmith.training.loss import snr_weights, weighted_loss
from lorasmith.training.noise import alphas_cumprod, draw_step, noised, target
from lorasmith.training.sampling import sample_timesteps

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def test_noise_and_targets_are_those_of_the_reference() -> None:
    reference = DDPMScheduler(**SD)
    alphas = alphas_cumprod()
    torch.testing.assert_close(alphas, reference.alphas_cumprod)
    draw = draw_step(3, 7, (4, 4, 8, 8))
    latents = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    share = alphas[draw.timesteps]
    mixed = noised(latents, draw.noise, share)
    torch.testing.assert_close(mixed, reference.add_noise(latents, draw.noise, draw.timesteps))
    velocity = reference.get_velocity(latents, draw.noise, draw.timesteps)
    torch.testing.assert_close(target(latents, draw.noise, share, "v_prediction"), velocity)
    assert target(latents, draw.noise, share, "epsilon") is draw.noise


def test_zero_terminal_snr_ends_in_pure_noise_and_starts_as_before() -> None:
    alphas = alphas_cumprod(zero_terminal_snr=True)
    assert alphas[-1] == 0 and alphas[0] == pytest.approx(float(alphas_cumprod()[0]))
    reference = DDPMScheduler(**SD, rescale_betas_zero_snr=True).alphas_cumprod
    torch.testing.assert_close(alphas[:-1], reference[:-1], atol=1e-5, rtol=1e-4)


def test_a_step_draws_the_same_whatever_ran_before() -> None:
    torch.manual_seed(1)
    first = draw_step(5, 9, (2, 4, 4, 4), 0.1)
    torch.randn(100)
    again = draw_step(5, 9, (2, 4, 4, 4), 0.1)
    assert all(torch.equal(a, b) for a, b in zip(vars(first).values(), vars(again).values(), strict=True))
    assert not torch.equal(first.noise, draw_step(5, 10, (2, 4, 4, 4), 0.1).noise)
    assert not torch.equal(first.noise, draw_step(5, 9, (2, 4, 4, 4)).noise)


def test_min_snr_weights_are_guarded_where_nothing_is_left_of_the_picture() -> None:
    alphas = torch.tensor([0.0, 0.5, 0.9, 0.99])
    torch.testing.assert_close(snr_weights(alphas, 5.0, "epsilon"), torch.tensor([1.0, 1.0, 5 / 9, 5 / 99]))
    torch.testing.assert_close(snr_weights(alphas, 5.0, "v_prediction"), torch.tensor([0.0, 0.5, 0.5, 0.05]))
    assert snr_weights(alphas, 0, "epsilon").tolist() == [1, 1, 1, 1]


def test_the_loss_weighs_samples_not_pixels() -> None:
    prediction, wanted = torch.zeros(2, 4, 2, 2), torch.stack([torch.ones(4, 2, 2), 2 * torch.ones(4, 2, 2)])
    assert weighted_loss(prediction, wanted, torch.tensor([1.0, 0.5])).item() == pytest.approx((1 + 2) / 2)


def test_sample_timesteps_are_those_of_the_reference() -> None:
    leading = DDIMScheduler(**SD, steps_offset=1, timestep_spacing="leading")
    trailing = DDIMScheduler(**SD, timestep_spacing="trailing")
    for steps in (2, 7, 20):
        leading.set_timesteps(steps)
        trailing.set_timesteps(steps)
        assert sample_timesteps(steps, False) == leading.timesteps.tolist()
        assert sample_timesteps(steps, True) == trailing.timesteps.tolist()
