"""The files of diffusion models: in a folder, or on the hub at a fixed commit; checked before anything is loaded."""

import os
import re
from pathlib import Path

from procrop.io.manifest import sha256_file, sha256_json

# what of a Stable Diffusion folder is used
_PARTS = ("scheduler", "text_encoder", "tokenizer", "unet", "vae")
_WEIGHTS = {
    "text_encoder": "model.safetensors",
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "": "diffusion_pytorch_model.safetensors",
}
_COMMIT = re.compile(r"[0-9a-f]{40}")


def model_folder(
    model: str | os.PathLike,
    revision: str | None,
    local_files_only: bool,
    whole: bool,
    variant: str | None = None,
) -> Path:
    """Folder of a model, with all the files that are needed.

    Args:
        model: A folder as diffusers saves it, or a hub name.
        revision: Commit of the hub repository, 40 hexadecimal digits; none for a folder.
        local_files_only: Take hub files from the local cache and never from the network.
        whole: A Stable Diffusion pipeline, or else a single network.
        variant: Of the weight files, as in ``model.fp16.safetensors``; None for plain names.

    Raises:
        ValueError: A hub name without commit, or a folder with one.
        FileNotFoundError: Files are missing, with the command that fetches them.
    """
    name = os.fspath(model)
    if os.path.isdir(name):
        if revision is not None:
            raise ValueError(f"{name}: a folder has no revision {revision!r}; leave it out")
        folder, remedy = Path(name), "save it with diffusers' save_pretrained, as safetensors"
    else:
        if revision is None or not _COMMIT.fullmatch(revision):
            raise ValueError(
                f"{name}: no such folder. For a model of the hub, give the commit to be used as `revision`, 40 "
                f"hexadecimal digits, not {revision!r}: a name alone may mean other weights tomorrow"
            )
        folder = _hub_folder(name, revision, local_files_only, _needed(whole, variant))
        remedy = f"`hf download {name} --revision {revision}` fetches it"
    missing = [file for file in _needed(whole, variant) if not (folder / file).is_file()]
    if missing:
        raise FileNotFoundError(f"{name}: no {missing[0]} in {folder}; {remedy}")
    return folder


def _hub_folder(name: str, revision: str, local_files_only: bool, files: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    # neither other variants nor other formats of the same weights; a tokenizer's files differ from model to model
    needed = [*files, "tokenizer/*"]
    try:
        return Path(
            snapshot_download(
                name, revision=revision, local_files_only=local_files_only, allow_patterns=needed
            )
        )
    except Exception as error:
        raise FileNotFoundError(
            f"{name}: no such folder, and commit {revision} cannot be had "
            f"{'from the local hub cache' if local_files_only else 'from the hub'} ({type(error).__name__}); fetch it "
            f"once with `hf download {name} --revision {revision}`, or give local_files_only=False"
        ) from error


def _needed(whole: bool, variant: str | None) -> list[str]:
    """Names of the files that must be there, relative to the model's folder."""

    def weights(part: str) -> str:
        stem = _WEIGHTS[part].removesuffix(".safetensors")
        return f"{stem}.safetensors" if variant is None else f"{stem}.{variant}.safetensors"

    if not whole:
        return ["config.json", weights("")]
    networks = [part for part in _PARTS if part in _WEIGHTS]
    files = [f"{part}/{file}" for part in networks for file in ("config.json", weights(part))]
    return ["model_index.json", "scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json", *files]


def files_sha256(folder: Path, whole: bool, variant: str | None = None) -> str:
    """Hex SHA-256 over the names and bytes of a model's files, as far as they are used."""
    names = set(_needed(whole, variant))
    if whole:
        names |= {f"tokenizer/{path.name}" for path in (folder / "tokenizer").iterdir() if path.is_file()}
    return sha256_json({name: sha256_file(folder / name) for name in sorted(names)})
