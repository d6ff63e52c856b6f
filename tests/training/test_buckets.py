"""Buckets: the list, the assignment, the geometry, and an epoch's batches."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as some

from lorasmith.settings.tables import TrainSettings
from lorasmith.training.buckets import (
    Draws,
    bucket_sizes,
    buckets_of,
    draws_per_bucket,
    epoch_batches,
    fit,
    fits_of,
    nearest_bucket,
    steps_per_epoch,
)

SD15 = bucket_sizes(512, 256, 1024, 64)
sizes = some.tuples(some.integers(16, 4000), some.integers(16, 4000))
sets = some.dictionaries(
    some.text("abcdef", min_size=1, max_size=4),
    some.builds(Draws, some.sampled_from(SD15[:3]), some.integers(1, 6)),
    min_size=1,
    max_size=12,
)


def test_the_buckets_of_sd15_are_the_seventeen_that_kohya_makes() -> None:
    tall = [(256, 832), (256, 896), (256, 960), (256, 1024), (320, 704), (320, 768), (384, 640), (448, 576)]
    assert sorted([*tall, (512, 512), *((h, w) for w, h in tall)]) == SD15


def test_bounds_that_are_not_set_are_those_of_the_guide_and_keep_sdxl_portraits() -> None:
    def sides(resolution: int) -> tuple[int, int]:
        found = [side for bucket in buckets_of(TrainSettings(resolution=resolution)) for side in bucket]
        return min(found), max(found)

    assert sides(512) == (320, 768)
    assert sides(768) == (448, 1280)  # 480 is no multiple of 64
    assert (832, 1216) in buckets_of(TrainSettings(resolution=1024))


@given(sizes)
def test_kohyas_rule_compares_width_by_height_on_one_scale(size: tuple[int, int]) -> None:
    found = fits_of(TrainSettings(bucket_rule="kohya", min_bucket=256, max_bucket=1024), {"a": size})["a"].bucket
    errors = [abs(width / height - size[0] / size[1]) for width, height in SD15]
    assert found == (size if size in SD15 else SD15[errors.index(min(errors))])


@given(sizes, some.sampled_from([512, 768]))
def test_without_enlarging_a_picture_keeps_its_pixels(size: tuple[int, int], resolution: int) -> None:
    settings = TrainSettings(resolution=resolution, bucket_no_upscale=True)
    found = fits_of(settings, {"a": size})["a"]
    assert all(side % 64 == 0 and side > 0 for side in found.bucket)
    assert found.bucket[0] <= found.resized[0] and found.bucket[1] <= found.resized[1]
    if min(size) >= 64 and size[0] * size[1] <= resolution**2:
        assert found.resized == size and found.scale == 1
        assert found.bucket == (size[0] // 64 * 64, size[1] // 64 * 64)
    elif min(found.resized) > 64:
        assert found.scale <= 1


def test_without_enlarging_a_large_picture_is_shrunk_as_kohya_shrinks_it() -> None:
    settings = TrainSettings(resolution=512, bucket_no_upscale=True)
    found = fits_of(settings, {"wide": (2000, 1000), "square": (3000, 3000)})
    assert (found["wide"].bucket, found["wide"].resized) == ((640, 320), (640, 320))
    assert (found["square"].bucket, found["square"].resized) == ((512, 512), (512, 512))


def test_a_longer_side_lets_sdxl_portraits_keep_their_shape() -> None:
    assert (832, 1216) not in bucket_sizes(1024, 256, 1024, 64)
    assert (832, 1216) in bucket_sizes(1024, 256, 1536, 64)


def test_small_resolutions_have_buckets_too() -> None:
    assert bucket_sizes(128, 64, 256, 64) == [(64, 192), (64, 256), (128, 128), (192, 64), (256, 64)]
    assert (96, 160) in bucket_sizes(128, 64, 256, 32)


@given(sizes)
def test_portrait_and_landscape_are_treated_alike(size: tuple[int, int]) -> None:
    width, height = nearest_bucket(size, SD15)
    turned = nearest_bucket((size[1], size[0]), SD15)
    assert turned in {(height, width), (width, height)} and sorted(turned) == sorted((width, height))


@given(sizes)
def test_a_picture_covers_its_bucket_and_only_one_side_is_cut(size: tuple[int, int]) -> None:
    found = fit(size, nearest_bucket(size, SD15))
    assert found.resized[0] >= found.bucket[0] and found.resized[1] >= found.bucket[1]
    assert min(found.cut) == 0
    assert 0 <= found.loss < 1
    assert 0 <= found.offset[0] <= found.cut[0] and 0 <= found.offset[1] <= found.cut[1]


def test_the_cut_is_in_the_middle_and_its_pixels_are_told() -> None:
    found = fit((1000, 600), (512, 512))
    assert found.resized == (853, 512) and found.cut == (341, 0) and found.offset == (170, 0)
    assert 0.39 < found.loss < 0.41


@given(sets, some.integers(1, 5), some.integers(0, 9), some.integers(0, 9))
def test_an_epoch_draws_every_picture_as_often_as_it_is_repeated(
    draws: dict[str, Draws], batch_size: int, seed: int, epoch: int
) -> None:
    batches = epoch_batches(draws, batch_size, seed, epoch)
    assert Counter(name for batch in batches for name in batch) == {name: each.repeats for name, each in draws.items()}
    assert all(len({draws[name].bucket for name in batch}) == 1 and len(batch) <= batch_size for batch in batches)
    assert len(batches) == steps_per_epoch(draws, batch_size)
    assert sum(draws_per_bucket(draws).values()) == sum(map(len, batches))


def test_the_order_of_an_epoch_is_the_same_on_every_machine_and_python() -> None:
    draws = {name: Draws((64, 64), 1) for name in "fedcba"}
    assert epoch_batches(draws, 2, 1, 0) == [("b", "d"), ("a", "e"), ("f", "c")]
    assert epoch_batches(dict(reversed(draws.items())), 2, 1, 0) == epoch_batches(draws, 2, 1, 0)
    assert epoch_batches(draws, 2, 1, 1) != epoch_batches(draws, 2, 1, 0)
