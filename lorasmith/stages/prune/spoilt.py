"""Files of the record that were spoilt since: gone, cut short, or no pictures any more."""

from collections.abc import Iterable

from lorasmith.errors import PictureError
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project


def spoilt(project: Project, pictures: Iterable[Picture]) -> dict[str, str]:
    """Gives picture -> why its file can no longer be read.

    Only files of another size than the record says are opened: to open all would take minutes in a large project.
    """
    from lorasmith.imaging.read import open_picture

    found = {}
    for picture in pictures:
        file = project.file_of(picture)
        if file.is_file() and file.stat().st_size == picture.bytes:
            continue
        try:
            open_picture(file)
        except PictureError as error:
            found[picture.name] = str(error)
    return found
