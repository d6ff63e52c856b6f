"""How a page's questions are answered: each is a name of its table, and its answer is JSON that no browser keeps."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.ui.context import Context

Words = Mapping[str, str]  # of the question's address
A = TypeVar("A")


def asked(page: str, answers: Mapping[str, A], request: Request) -> A:
    """Gives what answers a question; raises `UsageError` for one that the page does not have."""
    what = request.path_params["what"]
    if what not in answers:
        raise UsageError(f"The {page} page has no '{what}'.")
    return answers[what]


def fresh(content: Any) -> Response:
    """Answers with what is so now."""
    return JSONResponse(content, headers={"cache-control": "no-store"})


def over_project(
    page: str, answers: Mapping[str, Callable[[Project, Words], dict[str, Any]]]
) -> Callable[[Context, Request, Any], Response]:
    """Makes the route of a page whose questions are all about the project that it shows."""

    def show(context: Context, request: Request, body: Any) -> Response:
        answer, words = asked(page, answers, request), request.query_params
        with Project.open(context.projects.folder_of(words.get("project", "")), writing=False) as project:
            return fresh(answer(project, words))

    return show
