"""What becomes of each of kohya's training options here: the one table that importers and `inspect` read.

Names are those of sd-scripts' command line (2026-02). Options inside `network_args` and `optimizer_args` are written with that
name and a dot before them. Other trainers' files are turned into these names first (trainer_dialects.py). A setting that
lorasmith learns is one line here: `Goes("its_name")`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OFF: tuple[Any, ...] = (None, False, 0, "", [], {}, "none")  # what stands for "not used" there


@dataclass(frozen=True)
class Goes:
    """Goes into a setting of [train]; where that has no such setting yet, it is told so, unless its value means "off"."""

    to: str
    off: tuple[Any, ...] = OFF


@dataclass(frozen=True)
class Stays:
    """Is not carried over, and why; nothing is lost by that."""

    why: str


@dataclass(frozen=True)
class Joint:
    """Is decided together with others, by a rule of trainer_plan.py."""


Row = Goes | Stays | Joint

_STATE = Stays("every run can go on where it was; nothing has to be set for that")
_CACHED = Stays("latents are always cached, by the content of each picture")
_ATTENTION = Stays("PyTorch's own attention is used, which needs no switch")
_LOADERS = Stays("pictures are read ahead by lorasmith itself")
_LOGS = Stays("events.jsonl in the run's folder has every step, and the page draws it")
_HUB = Stays("nothing is uploaded")
_NAMES = Stays("LoRA files are named by trigger, run and epoch")
_MEMORY = Stays("how the memory is used is lorasmith's own affair")
_TITLE = Stays("metadata is written by lorasmith; the trigger is in it")

KOHYA: Mapping[str, Row] = {
    # the base model
    "pretrained_model_name_or_path": Joint(),
    "v2": Joint(),
    "v_parameterization": Joint(),
    "zero_terminal_snr": Joint(),
    "vae": Stays("the VAE in the base model's file is used"),
    "no_half_vae": Stays("the VAE never works in fp16 here"),
    "vae_batch_size": _CACHED,
    "tokenizer_cache_dir": Stays("the tokenizer ships with lorasmith"),
    # the network
    "network_module": Joint(),
    "network_dim": Goes("rank"),
    "network_alpha": Joint(),
    "network_dropout": Goes("dropout"),
    "network_weights": Goes("start_from"),
    "dim_from_weights": Goes("start_from"),
    "base_weights": Goes("start_from"),
    "base_weights_multiplier": Stays("it belongs to base_weights"),
    "network_args.algo": Joint(),
    "network_args.preset": Stays("the parts of the U-Net and the text encoder that are trained are kohya's"),
    "network_args.conv_dim": Joint(),
    "network_args.conv_alpha": Joint(),
    "network_args.dropout": Goes("dropout"),
    "network_args.rank_dropout": Goes("rank_dropout"),
    "network_args.module_dropout": Goes("module_dropout"),
    "network_args.use_tucker": Goes("use_tucker"),
    "network_args.use_cp": Goes("use_tucker"),
    "network_args.use_scalar": Goes("use_scalar"),
    "network_args.dora_wd": Goes("dora"),
    "network_args.wd_on_out": Stays("it belongs to dora_wd"),
    "network_args.rs_lora": Goes("rs_lora"),
    "network_args.train_norm": Goes("train_norm"),
    "network_args.factor": Goes("factor"),
    "network_args.decompose_both": Goes("decompose_both"),
    "network_args.full_matrix": Goes("full_matrix"),
    "network_args.bypass_mode": _MEMORY,
    "network_args.unit": Goes("dylora_unit"),
    "network_args.block_size": Goes("block_size"),
    "network_args.constraint": Goes("constraint"),
    "network_args.rescaled": Goes("rescaled"),
    "network_args.down_lr_weight": Joint(),
    "network_args.mid_lr_weight": Joint(),
    "network_args.up_lr_weight": Joint(),
    "network_args.block_lr_zero_threshold": Stays("a block at 0 gets no LoRA here"),
    "network_args.block_dims": Goes("block_ranks"),
    "network_args.block_alphas": Goes("block_alphas"),
    "network_args.conv_block_dims": Goes("block_ranks"),
    "network_args.conv_block_alphas": Goes("block_alphas"),
    "network_args.loraplus_lr_ratio": Goes("loraplus_ratio"),
    "network_args.loraplus_unet_lr_ratio": Goes("loraplus_ratio"),
    "network_args.loraplus_text_encoder_lr_ratio": Goes("loraplus_ratio"),
    "network_train_unet_only": Joint(),
    "network_train_text_encoder_only": Joint(),
    "stop_text_encoder_training": Goes("stop_text_encoder"),
    # how fast, how long
    "learning_rate": Joint(),
    "unet_lr": Joint(),
    "text_encoder_lr": Joint(),
    "lr_scheduler": Joint(),
    "lr_scheduler_type": Joint(),
    "lr_scheduler_args": Joint(),
    "lr_scheduler_num_cycles": Joint(),
    "lr_scheduler_power": Joint(),
    "lr_scheduler_min_lr_ratio": Joint(),
    "lr_scheduler_timescale": Goes("lr_timescale"),
    "lr_decay_steps": Goes("lr_decay"),
    "lr_warmup_steps": Joint(),
    "optimizer_type": Joint(),
    "use_8bit_adam": Joint(),
    "use_lion_optimizer": Joint(),
    "optimizer_schedulefree_wrapper": Goes("schedulefree_wrapper"),
    "schedulefree_wrapper_args": Stays("it belongs to the schedule-free wrapper"),
    "optimizer_args.weight_decay": Goes("weight_decay", off=()),
        "max_train_epochs": Joint(),
    "max_train_steps": Joint(),
    "train_batch_size": Goes("batch_size"),
    "gradient_accumulation_steps": Goes("gradient_accumulation", off=(*OFF, 1)),
    "max_grad_norm": Goes("max_grad_norm", off=()),
    "scale_weight_norms": Goes("scale_weight_norms"),
    "seed": Joint(),
    # pictures and captions
    "train_data_dir": Joint(),
    "image_dir": Joint(),
    "dataset_config": Joint(),
    "dataset_class": Stays("lorasmith's own"),
    "in_json": Goes("metadata_file"),
    "metadata_file": Goes("metadata_file"),
    "num_repeats": Joint(),
    "dataset_repeats": Goes("repeats"),
    "reg_data_dir": Goes("regularisation"),
    "is_reg": Goes("regularisation"),
    "prior_loss_weight": Goes("prior_loss_weight", off=(*OFF, 1)),
    "conditioning_data_dir": Joint(),
    "masked_loss": Joint(),
    "alpha_mask": Joint(),
    "resolution": Joint(),
    "enable_bucket": Joint(),
    "min_bucket_reso": Joint(),
    "max_bucket_reso": Joint(),
    "bucket_reso_steps": Goes("bucket_step"),
    "bucket_no_upscale": Goes("bucket_no_upscale", off=()),
    "resize_interpolation": Stays("pictures are made smaller by Lanczos"),
    "class_tokens": Joint(),
    "caption_extension": Stays("`lorasmith add` reads .txt and .caption files alike"),
    "caption_extention": Stays("`lorasmith add` reads .txt and .caption files alike"),
    "caption_separator": Stays("captions are parted by commas"),
    "caption_prefix": Goes("caption_prefix"),
    "caption_suffix": Goes("caption_suffix"),
    "shuffle_caption": Goes("shuffle", off=()),
    "keep_tokens": Goes("keep_tokens", off=()),
    "keep_tokens_separator": Joint(),
    "secondary_separator": Joint(),
    "enable_wildcard": Goes("wildcards"),
    "weighted_captions": Goes("weighted_captions"),
    "caption_dropout_rate": Goes("caption_dropout", off=()),
    "caption_dropout_every_n_epochs": Goes("caption_dropout_epochs"),
    "caption_tag_dropout_rate": Goes("tag_dropout", off=()),
    "token_warmup_min": Stays("it belongs to token_warmup_step"),
    "token_warmup_step": Joint(),
    "max_token_length": Stays("captions of any length are read in pieces of 75 tokens, as WebUIs do"),
    "flip_aug": Goes("flip", off=()),
    "color_aug": Goes("colour_shift"),
    "random_crop": Goes("random_crop"),
    "face_crop_aug_range": Goes("face_crop"),
    "custom_attributes": Stays("an extension's own"),
    "debug_dataset": Stays("`lorasmith check` shows what would be trained on"),
    # noise and loss
    "clip_skip": Joint(),
    "min_snr_gamma": Goes("min_snr_gamma", off=()),
    "noise_offset": Goes("noise_offset", off=()),
    "noise_offset_type": Joint(),
    "noise_offset_random_strength": Goes("noise_offset_random"),
    "adaptive_noise_scale": Goes("adaptive_noise_scale"),
    "multires_noise_iterations": Goes("multires_iterations"),
    "multires_noise_discount": Joint(),
    "ip_noise_gamma": Goes("ip_noise_gamma"),
    "ip_noise_gamma_random_strength": Goes("ip_noise_gamma_random"),
    "debiased_estimation_loss": Goes("debiased"),
    "scale_v_pred_loss_like_noise_pred": Goes("scale_v_loss"),
    "v_pred_like_loss": Goes("v_pred_like_loss"),
    "loss_type": Goes("loss", off=(*OFF, "l2")),
    "huber_c": Goes("huber_c", off=(*OFF, 0.1)),
    "huber_scale": Goes("huber_scale", off=(*OFF, 1)),
    "huber_schedule": Goes("huber_schedule", off=(*OFF, "snr")),
    "min_timestep": Goes("min_timestep"),
    "max_timestep": Goes("max_timestep", off=(*OFF, 1000)),
    # precision, memory
    "mixed_precision": Joint(),
    "full_fp16": Stays("LoRA weights are learnt in fp32, whatever the rest is"),
    "full_bf16": Stays("LoRA weights are learnt in fp32, whatever the rest is"),
    "fp8_base": Goes("base_precision", off=()),
    "fp8_base_unet": Goes("base_precision", off=()),
    "gradient_checkpointing": Goes("gradient_checkpointing", off=()),
    "cache_latents": _CACHED,
    "cache_latents_to_disk": _CACHED,
    "skip_cache_check": _CACHED,
    "cache_info": _CACHED,
    "cache_text_encoder_outputs": _MEMORY,
    "cache_text_encoder_outputs_to_disk": _MEMORY,
    "lowram": _MEMORY,
    "highvram": _MEMORY,
    "xformers": _ATTENTION,
    "sdpa": _ATTENTION,
    "mem_eff_attn": _ATTENTION,
    "diffusers_xformers": _ATTENTION,
    "torch_compile": _MEMORY,
    "dynamo_backend": _MEMORY,
    "max_data_loader_n_workers": _LOADERS,
    "persistent_data_loader_workers": _LOADERS,
    "deepspeed": _MEMORY,
    "num_processes": Goes("processes"),
    "zero_stage": _MEMORY,
    "zero3_init_flag": _MEMORY,
    "zero3_save_16bit_model": _MEMORY,
    "offload_optimizer_device": _MEMORY,
    "offload_optimizer_nvme_path": _MEMORY,
    "offload_param_device": _MEMORY,
    "offload_param_nvme_path": _MEMORY,
    "fp16_master_weights_and_gradients": _MEMORY,
    "fused_backward_pass": _MEMORY,
    "blocks_to_swap": _MEMORY,
    "cpu_offload_checkpointing": _MEMORY,
    "disable_mmap_load_safetensors": _MEMORY,
    "text_encoder_batch_size": _MEMORY,
    "ddp_timeout": _MEMORY,
    "ddp_gradient_as_bucket_view": _MEMORY,
    "ddp_static_graph": _MEMORY,
    # saving and going on
    "output_dir": _NAMES,
    "output_name": _NAMES,
    "save_every_n_epochs": Goes("save_every"),
    "save_every_n_steps": Goes("save_every_steps"),
    "save_n_epoch_ratio": Joint(),
    "save_last_n_epochs": Stays("every saved epoch is kept: `evaluate` compares them"),
    "save_last_n_steps": Stays("every saved epoch is kept: `evaluate` compares them"),
    "save_precision": Goes("save_precision", off=(*OFF, "fp16")),
    "save_model_as": Stays("always .safetensors"),
    "no_metadata": Stays("metadata is always written: WebUIs hide a LoRA without it"),
    "save_state": _STATE,
    "save_state_on_train_end": _STATE,
    "save_last_n_epochs_state": _STATE,
    "save_last_n_steps_state": _STATE,
    "resume": _STATE,
    "initial_epoch": _STATE,
    "initial_step": _STATE,
    "skip_until_initial_step": _STATE,
    # samples
    "sample_prompts": Joint(),
    "sample_every_n_epochs": Goes("sample_every"),
    "sample_every_n_steps": Joint(),
    "sample_at_first": Stays("`evaluate` shows the base model beside every epoch"),
    "sample_sampler": Stays("samples are drawn by DDIM"),
    # validation, logs, the rest
    "validation_split": Goes("validation_share"),
    "validation_seed": Stays("it belongs to validation_split"),
    "validate_every_n_epochs": Stays("it belongs to validation_split"),
    "validate_every_n_steps": Stays("it belongs to validation_split"),
    "max_validation_steps": Stays("it belongs to validation_split"),
    "logging_dir": _LOGS,
    "log_with": _LOGS,
    "log_prefix": _LOGS,
    "log_tracker_name": _LOGS,
    "log_tracker_config": _LOGS,
    "log_config": _LOGS,
    "wandb_run_name": _LOGS,
    "wandb_api_key": Stays("nothing is sent anywhere; a key has no place in a settings file"),
    "console_log_level": _LOGS,
    "console_log_file": _LOGS,
    "console_log_simple": _LOGS,
    "training_comment": _TITLE,
    "metadata_title": _TITLE,
    "metadata_author": _TITLE,
    "metadata_description": _TITLE,
    "metadata_license": _TITLE,
    "metadata_tags": _TITLE,
    "metadata_thumbnail": _TITLE,
    "metadata_usage_hint": _TITLE,
    "metadata_trigger_phrase": _TITLE,
    "metadata_merged_from": _TITLE,
    "metadata_preprocessor": _TITLE,
    "metadata_is_negative_embedding": _TITLE,
    "huggingface_repo_id": _HUB,
    "huggingface_repo_type": _HUB,
    "huggingface_path_in_repo": _HUB,
    "huggingface_token": _HUB,
    "huggingface_repo_visibility": _HUB,
    "save_state_to_huggingface": _HUB,
    "resume_from_huggingface": _HUB,
    "async_upload": _HUB,
    "config_file": Stays("its keys are read where it is the file that is imported"),
    "output_config": Stays("a file that the trainer writes"),
    "network_multiplier": Stays("1 while training"),
}

# What the command line takes where an option is left out: a training is only the same if that holds here too.
LEFT_OUT: Mapping[str, Any] = {
    "network_dim": 4, "network_alpha": 1, "train_batch_size": 1, "max_train_steps": 1600, "resolution": None,
    "enable_bucket": False, "min_bucket_reso": 256, "max_bucket_reso": 1024, "bucket_reso_steps": 64,
    "lr_scheduler": "constant", "lr_warmup_steps": 0, "shuffle_caption": False, "keep_tokens": 0, "flip_aug": False,
    "caption_dropout_rate": 0.0, "caption_tag_dropout_rate": 0.0, "min_snr_gamma": None, "noise_offset": None,
    "clip_skip": None, "num_repeats": 1, "gradient_checkpointing": False, "bucket_no_upscale": False,
    "optimizer_type": "AdamW", "gradient_accumulation_steps": 1,
}  # fmt: skip
OF_THE_SET = frozenset(  # options that a dataset file has in their place
    "train_batch_size resolution enable_bucket min_bucket_reso max_bucket_reso bucket_reso_steps bucket_no_upscale shuffle_caption "
    "keep_tokens flip_aug caption_dropout_rate caption_tag_dropout_rate num_repeats".split()
)
