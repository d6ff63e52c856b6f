"""Only the name that scripts derive from, and the extension's folder, which is known while scripts load."""

current_basedir = ""


class Script:
    pass


def basedir():
    return current_basedir
