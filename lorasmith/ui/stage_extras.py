"""What some stages' pages have beside the form: own pictures on Download, masks and the loaded checkpoint on Train."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from lorasmith.errors import LorasmithError
from lorasmith.folders import uploads_folder
from lorasmith.ui.context import Context
from lorasmith.ui.form import Form
from lorasmith.ui.train import form as train_form
from lorasmith.ui.train import masks
from lorasmith.ui.typed import faults_told, plain, typed_path

if TYPE_CHECKING:
    from lorasmith.ui.host import Host


_SEARCH_IS_THERE = (
    '<p class="ls-help">Site, search, ratings and the other filters hold for Research too, and stand on '
    '<a href="#" data-go="research">the Research page</a></p>'
)


def build(context: Context, stage: str, project: Any, form: Form) -> None:
    """Draws them into the Blocks that are being built; a stage that has none stays as it is."""
    if stage == "download":
        _own_pictures(context, project)
    if stage == "train":
        train_form.build(context, project, form)
        masks.build(context, project)
    if stage == "train" and context.host is not None:
        _loaded_checkpoint(context.host, form)


def above(stage: str) -> None:
    """Draws what stands above the form."""
    if stage == "download":
        gr.HTML(_SEARCH_IS_THERE)
    if stage == "train":
        gr.HTML(train_form.PLACE)


def _own_pictures(context: Context, project: Any) -> None:
    with gr.Accordion("Add your own pictures", open=False):
        folder = gr.Textbox(label="folder", info="pictures with .txt, .caption or .json sidecars, or without",
                            elem_id="ls-add-folder")  # fmt: skip
        files = gr.File(label="or drop files here", file_count="multiple", elem_id="ls-add-files")
        gr.Button("Add", elem_id="ls-add").click(
            _add(context), [project, folder, files], [folder, files], show_progress="hidden"
        )


def _add(context: Context) -> Any:
    def add(project: str, folder: str, files: list[str] | None) -> tuple[str, None]:
        with faults_told(OSError):
            place = context.open_folder(project)
            if not plain(folder) and not files:
                raise LorasmithError("Name a folder, or drop some files.")
            source = typed_path(plain(folder)) if plain(folder) else _together(files or [])
            job = context.start(place, ["add", str(place), str(source)])
        gr.Info(f"Adding is in the line as job {job.id}.", duration=3)
        return "", None

    return add


def _together(files: list[str]) -> Path:
    """Moves uploaded files into one folder where the job finds them; what lay in different folders keeps its own names."""
    uploads_folder().mkdir(parents=True, exist_ok=True)
    target = Path(tempfile.mkdtemp(prefix="add-", dir=uploads_folder()))
    for file in map(Path, files):
        place = target
        while (place / file.name).exists():  # two of one name: a folder further down, sidecars by their own picture
            place = place / "more"
        place.mkdir(exist_ok=True)
        shutil.move(file, place / file.name)
    return target


def _loaded_checkpoint(host: "Host", form: Form) -> None:
    def loaded() -> str:
        with faults_told():
            return host.trainable_checkpoint()

    gr.Button("Train on the WebUI's loaded checkpoint", elem_id="ls-loaded-checkpoint").click(
        loaded, outputs=[form.fields["checkpoint"]], show_progress="hidden"
    )
