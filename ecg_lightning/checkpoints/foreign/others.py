"""Public families that are known, but whose networks are not among ours: for messages."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Other:
    """A family that is not loaded.

    Attributes:
        title: its name in sentences.
        licence: of the weights.
        saw: the archives that trained it, in words.
        marks: tensors that no other family has, by which a message recognises a file.
    """

    title: str
    licence: str
    saw: str
    marks: tuple[str, ...] = ()


OTHERS = {
    "ecg-fm": Other(
        "ECG-FM",
        "MIT",
        "MIMIC-IV-ECG and the archives of the PhysioNet/CinC Challenge 2021, PTB-XL among them",
        ("feature_extractor.conv_layers.0.0.weight", "post_extract_proj.weight"),
    ),
    "ecg-jepa": Other(
        "ECG-JEPA", "MIT", "Chapman, Ningbo and CODE-15%", ("pos_embed", "encoder_blocks.blocks.0.attn.qkv.weight")
    ),
    "hubert-ecg": Other(
        "HuBERT-ECG",
        "CC BY-NC 4.0",
        "PTB-XL and nearly every other public archive",
        ("masked_spec_embed", "feature_extractor.conv_layers.0.conv.weight"),
    ),
    "xecg": Other("xECG", "MIT", "CODE, Chapman, Ningbo and INCART"),
    "melp": Other("MELP", "Apache-2.0", "MIMIC-IV-ECG"),
    "heartlang": Other("HeartLang", "MIT", "MIMIC-IV-ECG"),
    "st-mem": Other(
        "ST-MEM", "CC BY-NC", "Chapman, Ningbo and CODE-15%", ("encoder.to_patch_embedding.1.weight",)
    ),
}  # fmt: skip
"""By the name that would be written before a file."""


def sentence(name: str) -> str:
    """Says of a family that it is not loaded, and what is known of it."""
    other = OTHERS[name]
    return (
        f"The weights of {other.title} are not loaded: ecg_lightning has no such network. (Licence {other.licence}; trained on "
        f"{other.saw}.)"
    )
