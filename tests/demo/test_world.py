"""The drawn world: the same everywhere, truthful in its tags, and never showing the base what it must not see."""

import io
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lorasmith.demo import world
from lorasmith.demo.posts import WorldPost, posts
from lorasmith.safety import is_refused


def _scenes(held_out: bool, count: int = 400) -> list[world.Scene]:
    rng = random.Random("test world")
    return [world.training_scene(rng, held_out) for _ in range(count)]


@pytest.fixture(scope="module")
def listed() -> list[WorldPost]:
    return posts()


def test_the_same_seed_draws_the_same_picture() -> None:
    for scene in _scenes(held_out=True, count=6):
        assert np.array_equal(scene.draw_array(128, 96), scene.draw_array(128, 96))


@pytest.mark.parametrize("size", [(64, 64), (128, 128), (96, 160), (1200, 800)])
def test_a_scene_is_drawn_at_any_size(size: tuple[int, int]) -> None:
    picture = _scenes(held_out=True, count=1)[0].draw(*size)
    assert picture.size == size and picture.mode == "RGB"


def test_a_small_picture_is_the_large_one_made_smaller() -> None:
    for scene in _scenes(held_out=True, count=8):
        large = scene.draw(1024, 1024).resize((64, 64), Image.Resampling.BOX)
        small = scene.draw(128, 128).resize((64, 64), Image.Resampling.BOX)
        difference = np.abs(np.asarray(large, dtype=float) - np.asarray(small, dtype=float)).mean()
        assert difference < 8.0


def test_the_base_world_never_shows_what_is_held_out() -> None:
    for scene in _scenes(held_out=False, count=1500):
        assert not set(scene.tags()) & {*world.HELD_OUT, world.NEW_CHARACTER}
        for creature in scene.creatures:
            assert not creature.horns and creature.marking != "striped_fur" and creature.fur != "purple_fur"


def test_the_whole_world_shows_the_held_out_looks_on_others_too() -> None:
    others = [scene.tags() for scene in _scenes(held_out=True) if world.NEW_CHARACTER not in scene.tags()]
    seen = Counter(tag for tags in others for tag in tags)
    assert all(seen[tag] >= 10 for tag in world.HELD_OUT)


def test_every_tag_of_a_scene_belongs_to_what_is_drawn() -> None:
    for scene in _scenes(held_out=True):
        tags = scene.tags_by_category()
        general = tags["general"]
        assert ("solo" in general) == (len(scene.creatures) == 1) != ("duo" in general)
        assert scene.framing in general and scene.background in general
        for creature in scene.creatures:
            assert {creature.fur, creature.ears, creature.eyes, creature.mouth} <= set(general)
        if scene.framing == "headshot_portrait":
            assert not set(general) & {"standing", "sitting", "lying", "raised_arms", "white_belly"}
        assert len(scene.tags()) == len(set(scene.tags()))


def test_pictures_differ_where_a_single_look_differs() -> None:
    scene = next(scene for scene in _scenes(held_out=False) if scene.framing == "full-length_portrait")
    plain = replace(scene.creatures[0], fur="grey_fur", eyes="red_eyes", pose="standing", marking="", accessory="")
    here = replace(scene, creatures=(plain,)).draw_array(128, 128)
    looks = (
        {"fur": "purple_fur"},
        {"horns": True},
        {"marking": "striped_fur"},
        {"eyes": "yellow_eyes"},
        {"pose": "lying"},
        {"accessory": "top_hat"},
    )
    for look in looks:
        other = replace(scene, creatures=(replace(plain, **look),)).draw_array(128, 128)
        assert (np.abs(other.astype(int) - here).max(axis=2) > 60).sum() > 40, look


def test_implied_tags_are_added_once() -> None:
    assert world.with_implied(["forest", "beach"]) == ["forest", "beach", "outside", "tree", "sea"]


def test_the_posts_are_the_same_in_every_process(listed: list[WorldPost]) -> None:
    assert posts() == listed
    assert posts("another seed") != listed


def test_about_a_third_of_the_posts_show_the_new_character(listed: list[WorldPost]) -> None:
    theirs = [post for post in listed if world.NEW_CHARACTER in post.tags["character"]]
    assert 110 <= len(theirs) <= 150
    assert sum("solo" in post.tags["general"] for post in theirs) > 90


def test_posts_have_the_faults_of_a_real_site(listed: list[WorldPost]) -> None:
    faults = Counter(fault for post in listed for fault in post.faults)
    for fault in (
        "blurred",
        "jpeg_blocks",
        "upscaled",
        "signature",
        "speech_bubble",
        "text",
        "sketch",
        "wrong_tags",
        "missing_tags",
        "twin_resized",
        "twin_recoded",
        "twin_recoloured",
    ):
        assert faults[fault] >= 3, fault
    assert any(post.is_deleted for post in listed) and any(not post.visible for post in listed)
    assert all(not post.visible for post in listed if post.is_deleted)


def test_twins_point_at_each_other(listed: list[WorldPost]) -> None:
    by_id = {post.id: post for post in listed}
    assert len(by_id) == len(listed)
    children = [post for post in listed if post.parent_id is not None]
    assert children
    for child in children:
        assert child.id in by_id[child.parent_id or 0].children


def test_good_pictures_score_better_than_spoilt_ones(listed: list[WorldPost]) -> None:
    spoilt = {"blurred", "jpeg_blocks", "upscaled", "sketch"}
    bad = [post.score for post in listed if spoilt & set(post.faults)]
    good = [post.score for post in listed if not post.faults]
    assert np.median(good) > np.median(bad) + 15


def test_no_post_carries_a_refused_tag(listed: list[WorldPost]) -> None:
    assert not any(is_refused(tag) for post in listed for tags in post.tags.values() for tag in tags)


@pytest.mark.parametrize("ext", ["jpg", "png", "webp"])
def test_a_file_decodes_to_the_size_that_its_post_states(listed: list[WorldPost], ext: str) -> None:
    post = min((post for post in listed if post.ext == ext), key=lambda post: post.width * post.height)
    data = post.draw()
    picture = Image.open(io.BytesIO(data))
    assert picture.size == (post.width, post.height)
    assert picture.format == {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[ext]
    assert post.draw() == data
