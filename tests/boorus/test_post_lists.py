from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.boorus.post_lists import read_post_list
from lorasmith.boorus.sites import SITES
from lorasmith.errors import UsageError

MD5 = "0123456789abcdef" * 2


@given(
    st.lists(st.integers(1, 2**31) | st.text("0123456789abcdef", min_size=32, max_size=32), max_size=20),
    st.sampled_from(["\n", "\r\n"]),
)
def test_ids_and_md5s_come_back_in_their_order(wanted: list[int | str], end: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.txt"
        path.write_bytes(("\ufeff" + end.join(map(str, wanted))).encode("utf-8"))
        found = read_post_list(path, SITES["e621"])
    assert tuple(found.ids) == tuple(dict.fromkeys(each for each in wanted if isinstance(each, int)))
    assert tuple(found.md5s) == tuple(dict.fromkeys(each for each in wanted if isinstance(each, str)))


@pytest.mark.parametrize(
    "line",
    ["12", " 12 ", "12, some words", "12;x", "12 # note", "https://e621.net/posts/12", "https://e621.net/posts/12/",
     "https://e621.net/posts/12?q=fox+solo"],
)  # fmt: skip
def test_a_line_may_say_more_than_the_id(tmp_path: Path, line: str) -> None:
    (tmp_path / "list.txt").write_text(f"# a list\n\n{line}\n{MD5.upper()}\n", encoding="utf-8")
    found = read_post_list(tmp_path / "list.txt", SITES["e621"])
    assert (list(found.ids), list(found.md5s)) == ([12], [MD5])


@pytest.mark.parametrize(
    ("site", "line"),
    [("yandere", "https://yande.re/post/show/12"), ("gelbooru", "https://gelbooru.com/index.php?page=post&s=view&id=12"),
     ("danbooru", "https://danbooru.donmai.us/posts/12?q=solo")],
)  # fmt: skip
def test_a_posts_address_is_understood_on_its_own_site_alone(tmp_path: Path, site: str, line: str) -> None:
    (tmp_path / "list.txt").write_text(line, encoding="utf-8")
    assert list(read_post_list(tmp_path / "list.txt", SITES[site]).ids) == [12]
    with pytest.raises(UsageError, match="Line 1 of .* is a post of .*, and e621 is asked"):
        read_post_list(tmp_path / "list.txt", SITES["e621"])


def test_the_first_line_that_is_neither_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("12\nfox\n-3\n", encoding="utf-8")
    with pytest.raises(UsageError, match="Line 2 of .*: 'fox'"):
        read_post_list(tmp_path / "list.txt", SITES["e621"])
    with pytest.raises(UsageError, match="cannot be read"):
        read_post_list(tmp_path / "none.txt", SITES["e621"])
