"""evaluate: renders over epochs and weights, judged; and what a finished LoRA is published with."""
