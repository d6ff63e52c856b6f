"""The diffusion process, held against diffusers' scheduler."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from lorasmith.training.loss import PixelLoss, Weighting, losses_of
from lorasmith.training.noise import NoiseRules, alphas_cumprod, draw_step, noised, target
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


def test_multires_noise_is_smoother_than_plain_and_as_strong() -> None:
    plain = draw_step(1, 1, (2, 4, 32, 32)).noise
    coarse = draw_step(1, 1, (2, 4, 32, 32), NoiseRules(rounds=6, discount=0.8)).noise

    def likeness_of_neighbours(noise: torch.Tensor) -> float:
        return float((noise[..., 1:] * noise[..., :-1]).mean())

    assert coarse.std().item() == pytest.approx(1, abs=1e-5)
    assert likeness_of_neighbours(coarse) > 0.2 > abs(likeness_of_neighbours(plain))


def test_input_perturbation_is_on_the_input_alone() -> None:
    plain, shaken = draw_step(1, 1, (2, 4, 8, 8)), draw_step(1, 1, (2, 4, 8, 8), NoiseRules(input_gamma=0.1))
    assert plain.input_noise is plain.noise
    assert torch.equal(shaken.noise, plain.noise)
    assert (shaken.input_noise - shaken.noise).std().item() == pytest.approx(0.1, rel=0.15)


def test_zero_terminal_snr_ends_in_pure_noise_and_starts_as_before() -> None:
    alphas = alphas_cumprod(zero_terminal_snr=True)
    assert alphas[-1] == 0 and alphas[0] == pytest.approx(float(alphas_cumprod()[0]))
    reference = DDPMScheduler(**SD, rescale_betas_zero_snr=True).alphas_cumprod
    torch.testing.assert_close(alphas[:-1], reference[:-1], atol=1e-5, rtol=1e-4)


def test_a_step_draws_the_same_whatever_ran_before() -> None:
    torch.manual_seed(1)
    first = draw_step(5, 9, (2, 4, 4, 4), NoiseRules(offset=0.1))
    torch.randn(100)
    again = draw_step(5, 9, (2, 4, 4, 4), NoiseRules(offset=0.1))
    assert all(torch.equal(a, b) for a, b in zip(vars(first).values(), vars(again).values(), strict=True))
    assert not torch.equal(first.noise, draw_step(5, 10, (2, 4, 4, 4), NoiseRules(offset=0.1)).noise)
    assert not torch.equal(first.noise, draw_step(5, 9, (2, 4, 4, 4)).noise)


def test_min_snr_weights_are_guarded_where_nothing_is_left_of_the_picture() -> None:
    alphas = torch.tensor([0.0, 0.5, 0.9, 0.99])
    gamma = Weighting(min_snr_gamma=5.0)
    torch.testing.assert_close(gamma.table(alphas, "epsilon"), torch.tensor([1.0, 1.0, 5 / 9, 5 / 99]))
    torch.testing.assert_close(gamma.table(alphas, "v_prediction"), torch.tensor([0.0, 0.5, 0.5, 0.05]))
    assert Weighting().table(alphas, "epsilon").tolist() == [1, 1, 1, 1]


def test_debiased_estimation_weighs_by_the_root_of_the_ratio_and_is_finite_everywhere() -> None:
    alphas = torch.tensor([0.0, 0.5, 0.9])
    weights = Weighting(debiased=True).table(alphas, "epsilon")
    torch.testing.assert_close(weights[1:], torch.tensor([1.0, 1 / 3]))
    assert torch.isfinite(weights).all()
    torch.testing.assert_close(Weighting(debiased=True).table(alphas, "v_prediction"), torch.tensor([1.0, 0.5, 0.1]))


def test_a_velocity_can_be_weighed_like_a_noise() -> None:
    alphas = torch.tensor([0.0, 0.5, 0.9])
    torch.testing.assert_close(Weighting(scale_v=True).table(alphas, "v_prediction"), torch.tensor([0.0, 0.5, 0.9]))
    assert Weighting(scale_v=True).table(alphas, "epsilon").tolist() == [1, 1, 1]


def test_each_picture_has_a_loss_of_its_own() -> None:
    costs = torch.stack([torch.ones(4, 2, 2), 4 * torch.ones(4, 2, 2)])
    assert losses_of(costs).tolist() == [1.0, 4.0]


def test_a_small_figure_counts_as_much_as_a_large_one() -> None:
    costs = torch.ones(2, 4, 4, 4)
    costs[:, :, 2:] = 100  # the ground, which is masked away
    masks = torch.zeros(2, 1, 4, 4)
    masks[0, :, :2], masks[1, :, :1, :1] = 1, 1
    assert losses_of(costs, masks).tolist() == [1.0, 1.0]
    assert torch.isfinite(losses_of(costs, torch.zeros(2, 1, 4, 4))).all()


@pytest.mark.parametrize("schedule", ["constant", "exponential", "snr"])
def test_huber_is_a_square_near_zero_and_a_line_far_off(schedule: str) -> None:
    alphas, timesteps = torch.tensor([0.5]), torch.tensor([500])
    c = {"constant": 0.1, "exponential": 0.1**0.5, "snr": 0.9 / 4 + 0.1}[schedule]
    near, far = torch.full((1, 1, 1, 1), 1e-3), torch.full((1, 1, 1, 1), 1e3)
    huber, smooth = PixelLoss("huber", 0.1, schedule), PixelLoss("smooth_l1", 0.1, schedule)
    assert huber(near, timesteps, alphas).item() == pytest.approx(1e-6, rel=0.02)
    assert huber(far, timesteps, alphas).item() == pytest.approx(2 * c * (1e3 - c), rel=1e-3)
    assert smooth(far, timesteps, alphas).item() == pytest.approx(2 * (1e3 - c), rel=1e-3)
    assert PixelLoss("l1")(far, timesteps, alphas).item() == 1e3
    assert PixelLoss()(far, timesteps, alphas).item() == 1e6


def test_sample_timesteps_are_those_of_the_reference() -> None:
    leading = DDIMScheduler(**SD, steps_offset=1, timestep_spacing="leading")
    trailing = DDIMScheduler(**SD, timestep_spacing="trailing")
    for steps in (2, 7, 20):
        leading.set_timesteps(steps)
        trailing.set_timesteps(steps)
        assert sample_timesteps(steps, False) == leading.timesteps.tolist()
        assert sample_timesteps(steps, True) == trailing.timesteps.tolist()
