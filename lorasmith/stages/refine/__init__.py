"""refine: pictures that a LoRA drew come back as candidates."""
