"""lorasmith: from a character's name to a tested character LoRA."""

__version__ = "0.1.0"
