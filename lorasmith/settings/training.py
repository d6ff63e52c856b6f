"""The settings of the training, one line each."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from lorasmith.settings.stage import StageSettings, setting


def _checkpointing(value: Any) -> Any:
    """Reads what was a switch before: on is all of it, off is none."""
    words = {"true": "full", "false": "none", "1": "full", "0": "none"}
    return words.get(str(value).lower(), value)


def _base_precision(value: Any) -> Any:
    """Reads kohya's switch fp8_base too."""
    if isinstance(value, bool | int):
        return "fp8" if value else "auto"
    return value


class TrainSettings(StageSettings):
    """How the LoRA is trained."""

    checkpoint: str = setting("", "the base model: one .safetensors file")
    resolution: int = setting(
        512, "training size: buckets keep the area of a square of this side", unit="pixels", ge=64, le=2048
    )
    bucket_step: Literal[32, 64] = setting(64, "bucket sides are multiples of this", unit="pixels", advanced=True)
    min_bucket: int | None = setting(
        None, "shortest bucket side; unset is 0.625 of the resolution (320 at 512)", unit="pixels", ge=32, advanced=True
    )
    max_bucket: int | None = setting(
        None, "longest bucket side; unset is 1.875 of the resolution (960 at 512)", unit="pixels", ge=64, advanced=True
    )
    bucket_rule: Literal["nearest", "kohya"] = setting(
        "nearest", "which bucket a picture gets: the nearest shape, or kohya's linear rule", advanced=True
    )
    bucket_no_upscale: bool = setting(
        False, "small pictures are never enlarged, they get buckets of their own size", advanced=True
    )
    rank: int = setting(16, "LoRA rank (network dim)", ge=1, le=256)
    alpha: float | None = setting(None, "LoRA alpha; the effective scale is alpha / rank; unset is the rank", gt=0)
    conv_rank: int = setting(
        0, "rank of 3x3 convolutions, for a LoCon file; 0 leaves the residual blocks and samplers alone", ge=0, le=256,
        advanced=True,
    )  # fmt: skip
    conv_alpha: float | None = setting(None, "alpha of 3x3 convolutions; unset is conv_rank", gt=0, advanced=True)
    block_weights: list[float] = setting(
        list, "factors of the U-Net's rate, block by block: 12 down, 1 middle, 12 up for SD1.x, 9, 3, 9 for SDXL; a block "
        "at 0 gets no LoRA; empty is 1 for all", advanced=True,
    )  # fmt: skip
    dropout: float = setting(
        0.0, "share of each LoRA layer's rank that is left out at random at a step", unit="share", ge=0, lt=1, advanced=True
    )
    scale_weight_norms: float = setting(
        0.0, "longest change of a module's weight; longer ones are shrunk after each step; 0 never, usual is 1", ge=0,
        advanced=True,
    )  # fmt: skip
    prediction_type: Literal["auto", "epsilon", "v_prediction"] = setting(
        "auto", "what the base model predicts; auto reads it from the file", advanced=True
    )
    zero_terminal_snr: Literal["auto", "on", "off"] = setting(
        "auto", "whether the base model's noise ends in pure noise; auto reads it from the file", advanced=True
    )
    epochs: int = setting(10, "passes over the set", ge=1, le=1000)
    repeats: int = setting(5, "times each picture is seen in an epoch", ge=1, le=1000)
    batch_size: int = setting(2, "pictures per step", ge=1, le=64)
    gradient_accumulation: int = setting(1, "batches whose gradients are added up for one update", ge=1, le=64, advanced=True)
    subsets: list[str] = setting(
        list, "parts of the set with repeats or weights of their own, such as: faces weight=1 where headshot_portrait",
        lines=True, advanced=True,
    )
    balance: bool = setting(
        True, "where tag.characters names several, they share the draws equally; subsets that are set win", advanced=True
    )
    validation_share: float = setting(
        0.0, "share of the pictures that is held out: their loss is told each epoch", unit="share", ge=0, le=0.5, advanced=True
    )
    strength: float = setting(
        1.1, "S of the rule L = S / (R*E*I): 1.1 for anime bases, 1.2 and more for unusual bodies", gt=0
    )
    unet_lr: float | None = setting(None, "learning rate of the U-Net; unset follows the rule", gt=0)
    text_encoder_lr: float | None = setting(
        None, "learning rate of the text encoder; unset is a share of the U-Net's, and none for SDXL; 0 leaves it untrained",
        ge=0,
    )
    text_encoder_2_lr: float | None = setting(
        None, "learning rate of SDXL's second text encoder; unset leaves it untrained", ge=0, advanced=True
    )
    text_encoder_share: float = setting(
        0.5, "the text encoder's rate as a share of the U-Net's, where its own is unset", unit="share", gt=0, le=1, advanced=True
    )
    optimizer: Literal["adamw", "adamw8bit", "prodigy", "adafactor", "lion", "adamw_schedule_free"] = setting(
        "adamw", "optimizer; adamw8bit, prodigy, lion and adamw_schedule_free need a package of their own, which is told"
    )
    optimizer_args: list[str] = setting(
        list, "more arguments of the optimizer, as name=value, such as d_coef=2", lines=True, advanced=True
    )
    lr_scheduler: Literal[
        "constant", "cosine", "linear", "cosine_with_restarts", "cosine_with_min_lr", "polynomial", "inverse_sqrt",
        "warmup_stable_decay",
    ] = setting("cosine", "learning rate over the run")
    lr_cycles: int = setting(1, "cycles of cosine_with_restarts", ge=1, le=100, advanced=True)
    lr_power: float = setting(1.0, "power of polynomial", gt=0, le=10, advanced=True)
    lr_min: float = setting(0.1, "where cosine_with_min_lr ends, as a share of the rate", unit="share", ge=0, lt=1, advanced=True)
    warmup: float = setting(
        0.05, "share of the steps over which the learning rate rises", unit="share", ge=0, le=0.5, advanced=True
    )
    clip_skip: Literal[1, 2] = setting(1, "text encoder layer used, counted from the end; 2 for anime bases")
    min_snr_gamma: float = setting(5.0, "min-SNR loss weighting; 0 turns it off", ge=0, advanced=True)
    debiased: bool = setting(False, "weight by 1/sqrt(snr) (debiased estimation) in the place of min-SNR", advanced=True)
    scale_v_loss: bool = setting(False, "weight v-prediction's loss as noise prediction's is", advanced=True)
    loss: Literal["l2", "l1", "huber", "smooth_l1"] = setting("l2", "loss of a pixel of the latents", advanced=True)
    huber_c: float = setting(0.1, "where huber and smooth_l1 turn from squares to lines", gt=0, le=1, advanced=True)
    huber_schedule: Literal["constant", "exponential", "snr"] = setting(
        "snr", "how huber_c changes with the timestep", advanced=True
    )
    masked_loss: Literal["none", "alpha", "file", "character"] = setting(
        "none", "what is learnt of a picture: all of it, what is not transparent, what a mask file beside it marks white, "
        "or the character as it is found", advanced=True
    )
    unmasked_weight: float = setting(0.1, "how much the rest of a masked picture counts", unit="share", ge=0, le=1, advanced=True)
    noise_offset: float = setting(0.0, "noise offset", ge=0, le=0.5, advanced=True)
    multires_iterations: int = setting(0, "rounds of multires noise; 0 turns it off, usual are 6 to 10", ge=0, le=20, advanced=True)
    multires_discount: float = setting(0.3, "what each round of multires noise counts of the one before", gt=0, le=1, advanced=True)
    ip_noise_gamma: float = setting(0.0, "extra noise on the input only; usual is 0.05", ge=0, le=0.5, advanced=True)
    shuffle: bool = setting(True, "shuffle a caption's tags each time, the kept ones stay first")
    keep_tokens: int = setting(1, "tags at the start that stay in place", ge=0, le=10)
    caption_dropout: float = setting(
        0.0, "share of draws with an empty caption", unit="share", ge=0, le=0.5, advanced=True
    )
    tag_dropout: float = setting(
        0.05, "share of the other tags left out at each draw", unit="share", ge=0, le=0.9, advanced=True
    )
    caption_variants: int = setting(
        8, "draws of each caption that are encoded once, when no text encoder is trained", ge=1, le=64, advanced=True
    )
    wildcards: bool = setting(False, "{a|b} in a caption is one of them each time, and of several lines one", advanced=True)
    token_warmup: float = setting(
        0.0, "share of the steps over which the free tags come in one by one", unit="share", ge=0, le=1, advanced=True
    )
    flip: bool = setting(False, "mirror half of the draws; not for characters that are not symmetric")
    weight_decay: float = setting(0.01, "AdamW weight decay", ge=0, advanced=True)
    max_grad_norm: float = setting(1.0, "gradients are clipped to this norm; 0 never", ge=0, advanced=True)
    seed: int = setting(1, "seed of everything random in the run", ge=0, le=2**31 - 1)
    save_every: int = setting(1, "epochs between saved LoRA files; the last is always saved", unit="epochs", ge=1)
    checkpoint_every: int = setting(
        50, "steps between the states a killed run goes on from", unit="steps", ge=1, advanced=True
    )
    sample_every: int = setting(1, "epochs between sample pictures; 0 draws none", unit="epochs", ge=0)
    sample_prompts: list[str] = setting(list, "prompts of the samples; the trigger alone is always drawn too", lines=True)
    sample_steps: int = setting(20, "denoising steps of a sample", ge=1, le=200, advanced=True)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = setting(
        "auto", "compute precision; auto is bf16 or fp16 on a GPU, fp32 on a CPU", advanced=True
    )
    base_precision: Annotated[Literal["auto", "int8", "fp8"], BeforeValidator(_base_precision)] = setting(
        "auto", "how the frozen base model is held: as it computes, or in a quarter of fp32's memory, a little less exactly",
        advanced=True,
    )
    gradient_checkpointing: Annotated[Literal["none", "selective", "full"], BeforeValidator(_checkpointing)] = setting(
        "none", "trade speed for memory: nowhere, in the blocks of the highest resolution, or everywhere", advanced=True
    )
    fit: Literal["auto", "on", "off"] = setting(
        "auto", "try before the run which batch_size and gradient_checkpointing the memory has room for; auto does on CUDA",
        advanced=True,
    )
    cache_gb: float = setting(
        20.0, "latents and encoded captions that are kept; beyond this the longest unused go; 0 keeps all", unit="GB", ge=0,
        advanced=True,
    )
    device: str = setting("auto", "cuda, cuda:1, mps, cpu, or auto", advanced=True)
    processes: int = setting(1, "processes that train together: one for each card", ge=1, le=64, advanced=True)
    max_steps: int = setting(0, "stop after so many steps; 0 runs all epochs", unit="steps", ge=0, advanced=True)

    @model_validator(mode="after")
    def _buckets_fit(self) -> "TrainSettings":
        if (self.min_bucket or 0) > self.resolution or self.resolution > (self.max_bucket or self.resolution):
            raise ValueError("resolution must lie between min_bucket and max_bucket")
        return self

    @model_validator(mode="after")
    def _block_weights_are_factors(self) -> "TrainSettings":
        if any(weight < 0 for weight in self.block_weights):
            raise ValueError("block_weights has a number below 0; each must be 0 or more")
        return self

    @property
    def network_alpha(self) -> float:
        """Gives alpha as it is used: the rank where it is unset."""
        return float(self.rank) if self.alpha is None else self.alpha

    @property
    def network_conv_alpha(self) -> float:
        """Gives the alpha of 3x3 convolutions as it is used: conv_rank where it is unset."""
        return float(self.conv_rank or 1) if self.conv_alpha is None else self.conv_alpha
