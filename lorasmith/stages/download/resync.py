"""What became of the posts that are here: new tags, another file, taken down, refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lorasmith.project.pictures import REFUSED, Decision, Picture, Tag
from lorasmith.project.project import Project

if TYPE_CHECKING:
    from lorasmith.boorus.booru import Booru
    from lorasmith.boorus.post import Post

MAKER = "site"  # the maker of decisions that the site made: a person's word overrules them
_SINGLY = 40  # posts that are looked up one by one in one run, where the site cannot be asked for many
_LAST = "looked up last"  # the fact that says where the next run goes on with them


@dataclass(frozen=True)
class Resynced:
    """What the site has done to posts that are here."""

    changed: frozenset[str]  # names whose tags, rating or sources are others now
    replaced: "Mapping[str, Post]"  # name -> the post, whose file is another one now
    taken_down: tuple[str, ...]  # files of posts that are gone or hidden
    refused: tuple[str, ...]  # files of posts that are refused now


def bring_up_to_date(project: Project, booru: "Booru", seen: Iterable["Post"]) -> Resynced:
    """Compares the pictures of this site with its posts as they are now, and writes down what is different.

    `seen` are posts that were shown anyway; the others are asked for by id. What was taken down is dropped, and comes back
    when the post does. What is refused now is put out for good.
    """
    here = {picture.name: picture for picture in project.pictures.all(origins=("booru",)) if _is_of(picture, booru)}
    posts = {post.name: post for post in seen if post.name in here}
    asked = _ask(project, booru, [one for name, one in here.items() if name not in posts and name not in booru.refused])
    posts |= {post.name: post for post in booru.by_ids(int(here[name].post["id"]) for name in asked)}
    gone, changed, refused = [], set(), []
    replaced: dict[str, Post] = {}
    with project.transaction():
        for name, picture in here.items():
            post = posts.get(name)
            if name in booru.refused:
                refused.append(picture.file)
                project.pictures.decide(name, Decision("drop", REFUSED, "refused"), maker=REFUSED)
            elif post is None and name not in asked:
                continue  # nobody has asked
            elif post is None or post.is_deleted or post.url is None:
                gone.append(picture.file)
                project.pictures.decide(name, Decision("drop", MAKER, "taken down on the site"), maker=MAKER)
            else:
                project.pictures.decide(name, None, maker=MAKER)
                if _is_changed(project, picture, post):
                    changed.add(name)
                    _write(project, picture, post)
                if post.md5 != picture.md5:
                    replaced[name] = post
    return Resynced(frozenset(changed - set(replaced)), replaced, tuple(gone), tuple(refused))


def _is_of(picture: Picture, booru: "Booru") -> bool:
    return picture.post.get("site") == booru.site.name and isinstance(picture.post.get("id"), int)


def _ask(project: Project, booru: "Booru", pictures: list[Picture]) -> list[str]:
    """Names the pictures that are asked about: all, or some each time where each is a question of its own."""
    names = sorted(picture.name for picture in pictures)
    if booru.ids_at_once > 1 or len(names) <= _SINGLY:
        return names
    last = str(project.fact(_LAST) or "")
    turned = [name for name in names if name > last] + [name for name in names if name <= last]
    project.remember(_LAST, turned[_SINGLY - 1])
    return turned[:_SINGLY]


def _is_changed(project: Project, picture: Picture, post: "Post") -> bool:
    then, now = picture.post.get("change_seq"), post.change_seq
    if then is not None and now is not None:
        return bool(then != now)
    stored = {(tag.tag, tag.category) for tag in project.pictures.tags(picture.name) if tag.source == "booru"}
    return stored != {(tag.tag, tag.category) for tag in tags_of(post)} or picture.post.get("rating") != post.rating


def _write(project: Project, picture: Picture, post: "Post") -> None:
    """Writes what the site says now; the md5 stays that of the file that is here."""
    facts = {**picture.post, **provenance(post), "md5": picture.post.get("md5")}
    project.pictures.add(replace(picture, post=facts))
    project.pictures.set_tags(picture.name, "booru", tags_of(post))


def provenance(post: "Post") -> dict[str, Any]:
    """Gives what the project keeps of where a picture came from."""
    from lorasmith.boorus.funnel import CONDITIONAL

    facts = {
        "site": post.site, "id": post.id, "rating": post.rating, "score": post.score, "fav_count": post.fav_count,
        "created_at": post.created_at, "sources": list(post.sources), "parent_id": post.parent_id,
        "children": list(post.children), "pools": list(post.pools), "md5": post.md5,
    }  # fmt: skip
    if post.change_seq is not None:
        facts["change_seq"] = post.change_seq
    if CONDITIONAL in post.all_tags:
        facts["do_not_post"] = "conditional"
    return facts


def tags_of(post: "Post") -> list[Tag]:
    """Gives a post's tags as the project keeps them."""
    return [Tag(tag, category, "booru") for category, names in post.tags.items() for tag in names]
