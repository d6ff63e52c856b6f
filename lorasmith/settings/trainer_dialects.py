"""The keys of other trainers' files that are called otherwise than kohya's, and those that are only their own bookkeeping.

LoRA Easy Training Scripts ("LETS", its old JSON), the kohya_ss GUI's JSON, OneTrainer's JSON, and the ss_* metadata inside a
LoRA file. A key that is in none of these tables and is no name of kohya's either is unknown.
"""

from collections.abc import Mapping

_OWN = "the other program's own bookkeeping"
_GUI = "the other program's window"

LETS_NAMES: Mapping[str, str] = {
    "base_model": "pretrained_model_name_or_path", "img_folder": "train_data_dir", "reg_img_folder": "reg_data_dir",
    "output_folder": "output_dir", "change_output_name": "output_name", "net_dim": "network_dim", "alpha": "network_alpha",
    "lora_model_for_resume": "network_weights", "unet_only": "network_train_unet_only",
    "text_only": "network_train_text_encoder_only", "train_resolution": "resolution", "batch_size": "train_batch_size",
    "warmup_lr_ratio": "lr_warmup_steps", "scheduler": "lr_scheduler", "cosine_restarts": "lr_scheduler_num_cycles",
    "scheduler_power": "lr_scheduler_power", "num_epochs": "max_train_epochs", "max_steps": "max_train_steps",
    "load_previous_save_state": "resume", "save_as": "save_model_as", "test_seed": "seed",
    "max_clip_token_length": "max_token_length", "buckets": "enable_bucket", "min_bucket_resolution": "min_bucket_reso",
    "max_bucket_resolution": "max_bucket_reso", "shuffle_captions": "shuffle_caption",
    "gradient_acc_steps": "gradient_accumulation_steps", "num_workers": "max_data_loader_n_workers",
    "persistent_workers": "persistent_data_loader_workers", "log_dir": "logging_dir", "no_meta": "no_metadata",
    "locon_dim": "network_args.conv_dim", "locon_alpha": "network_args.conv_alpha",
}  # fmt: skip
LETS_ASIDE: Mapping[str, str] = {
    "save_json_folder": _OWN, "save_json_name": _OWN, "save_json_only": _OWN, "load_json_path": _OWN, "json_load_skip_list": _OWN,
    "list_of_json_to_run": "a queue: `lorasmith queue add` takes several projects", "loaded_json": _OWN,
    "multi_run_folder": "a queue: `lorasmith queue add` takes several projects",
    "tag_occurrence_txt_file": "`lorasmith inspect` shows the tags of a LoRA", "sort_tag_occurrence_alphabetically": _OWN,
    "height_resolution": "it belongs to the resolution", "lyco": "it chooses the network", "locon": "it chooses the network",
    "use_8bit_adam": "it chooses the optimizer", "use_lion": "it chooses the optimizer",
    "use_vae": _OWN, "cosine_restarts_enabled": _OWN,
}  # fmt: skip

GUI_NAMES: Mapping[str, str] = {
    "max_resolution": "resolution", "epoch": "max_train_epochs", "optimizer": "optimizer_type", "lr_warmup": "lr_warmup_steps",
    "keep_tokens_seperator": "keep_tokens_separator", "conv_dim": "network_args.conv_dim",
    "conv_alpha": "network_args.conv_alpha", "factor": "network_args.factor", "decompose_both": "network_args.decompose_both",
    "use_tucker": "network_args.use_tucker", "use_cp": "network_args.use_cp", "use_scalar": "network_args.use_scalar",
    "dora_wd": "network_args.dora_wd", "rank_dropout": "network_args.rank_dropout",
    "module_dropout": "network_args.module_dropout", "LyCORIS_preset": "network_args.preset", "unit": "network_args.unit",
    "constrain": "network_args.constraint", "rescaled": "network_args.rescaled", "train_norm": "network_args.train_norm",
    "bypass_mode": "network_args.bypass_mode", "full_matrix": "network_args.full_matrix",
    "down_lr_weight": "network_args.down_lr_weight", "mid_lr_weight": "network_args.mid_lr_weight",
    "up_lr_weight": "network_args.up_lr_weight", "block_lr_zero_threshold": "network_args.block_lr_zero_threshold",
    "block_dims": "network_args.block_dims", "block_alphas": "network_args.block_alphas",
    "conv_block_dims": "network_args.conv_block_dims", "conv_block_alphas": "network_args.conv_block_alphas",
    "loraplus_lr_ratio": "network_args.loraplus_lr_ratio", "loraplus_unet_lr_ratio": "network_args.loraplus_unet_lr_ratio",
    "loraplus_text_encoder_lr_ratio": "network_args.loraplus_text_encoder_lr_ratio",
    "lora_network_weights": "network_weights", "sdxl_no_half_vae": "no_half_vae", "max_bucket_resolution": "max_bucket_reso",
    "sdxl_cache_text_encoder_outputs": "cache_text_encoder_outputs", "noise_offset_random_strength": "noise_offset_random_strength",
}  # fmt: skip
GUI_ASIDE: Mapping[str, str] = {
    "LoRA_type": "it chooses the network", "use_8bit_adam": "it chooses the optimizer", "use_wandb": "nothing is sent anywhere",
    "sdxl": "read off the base model itself", "model_list": _GUI, "additional_parameters": "its flags are read one by one",
    "save_as_bool": _GUI, "num_cpu_threads_per_process": "it belongs to the launcher",
    "num_machines": "it belongs to the launcher", "multi_gpu": "it belongs to the launcher", "gpu_ids": "it belongs to the launcher",
    "main_process_port": "it belongs to the launcher", "extra_accelerate_launch_args": "it belongs to the launcher",
    "dynamo_mode": "it belongs to the launcher", "dynamo_use_fullgraph": "it belongs to the launcher",
    "dynamo_use_dynamic": "it belongs to the launcher", "caption_metadata_filename": _GUI, "latent_metadata_filename": _GUI,
    "stop_text_encoder_training_pct": "the text encoder is trained to the end, or not at all (text_encoder_lr = 0)",
    "LyCORIS": _GUI, "logging": _GUI, "weighted_captions_bool": _GUI, "metadata_bool": _GUI,
    "flux1_checkbox": _GUI, "sd3_checkbox": _GUI, "flux_fused_backward_pass": _GUI,
}  # fmt: skip
GUI_KINDS: Mapping[str, str] = {  # LoRA_type, lower case, to (module, algo)
    "standard": "", "kohya locon": "", "lora-c3lier": "", "locon": "locon", "lycoris/locon": "locon", "lycoris/loha": "loha",
    "lycoris/lokr": "lokr", "lycoris/dylora": "dylora", "kohya dylora": "dylora", "lycoris/ia3": "ia3", "lora-fa": "lora_fa",
    "lycoris/glora": "glora", "lycoris/diag-oft": "diag-oft", "lycoris/boft": "boft",
    "lycoris/native fine-tuning": "full",
}  # fmt: skip

ONETRAINER_NAMES: Mapping[str, str] = {
    "base_model_name": "pretrained_model_name_or_path", "epochs": "max_train_epochs", "batch_size": "train_batch_size",
    "gradient_accumulation_steps": "gradient_accumulation_steps", "learning_rate": "learning_rate",
    "learning_rate_scheduler": "lr_scheduler", "learning_rate_warmup_steps": "lr_warmup_steps",
    "learning_rate_cycles": "lr_scheduler_num_cycles", "resolution": "resolution", "lora_rank": "network_dim",
    "lora_alpha": "network_alpha", "lora_decompose": "network_args.dora_wd", "peft_type": "network_args.algo",
    "dropout_probability": "network_dropout", "offset_noise_weight": "noise_offset",
    "perturbation_noise_weight": "ip_noise_gamma", "clip_grad_norm": "max_grad_norm", "train_dtype": "mixed_precision",
    "masked_training": "masked_loss", "output_dtype": "save_precision", "lora_model_name": "network_weights",
    "unet.learning_rate": "unet_lr", "text_encoder.learning_rate": "text_encoder_lr", "optimizer.optimizer": "optimizer_type",
    "optimizer.weight_decay": "optimizer_args.weight_decay", "aspect_ratio_bucketing": "enable_bucket",
    "gradient_checkpointing": "gradient_checkpointing", "latent_caching": "cache_latents", "seed": "seed",
    "save_every": "save_every_n_epochs", "text_encoder_layer_skip": "clip_skip", "output_model_destination": "output_dir",
}  # fmt: skip

# How the metadata of a LoRA spells what the command line calls otherwise.
METADATA_NAMES: Mapping[str, str] = {
    "num_epochs": "max_train_epochs", "total_batch_size": "train_batch_size", "max_bucket_reso": "max_bucket_reso",
    "sd_model_name": "pretrained_model_name_or_path", "debiased_estimation": "debiased_estimation_loss",
    "batch_size_per_device": "train_batch_size",
}  # fmt: skip
METADATA_OWN = (
    "session_id training_started_at training_finished_at sd_scripts_commit_hash num_train_images num_reg_images "
    "num_validation_images num_batches_per_epoch epoch steps base_model_version sd_model_hash new_sd_model_hash vae_name vae_hash "
    "new_vae_hash dataset_dirs reg_dataset_dirs tag_frequency bucket_info datasets batch_size_per_device sd_model_name "
    "max_validation_steps validate_every_n_epochs validate_every_n_steps validation_seed validation_split output_name optimizer "
    "network_args training_comment v2 total_batch_size"
).split()
