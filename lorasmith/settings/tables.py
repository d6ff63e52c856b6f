"""Every setting of every stage, one line each: the control panel of the whole program (train's are in `training.py`)."""

from typing import Literal

from pydantic import model_validator

from lorasmith.safety import demand_safe_text
from lorasmith.settings.lines import character_line, old_and_new, threshold_rule
from lorasmith.settings.stage import StageSettings, setting, unknown_name
from lorasmith.settings.training import TrainSettings

Rating = Literal["g", "s", "q", "e"]
NO_TAGGER = "none"  # the tagger's name that stands for none
SiteName = Literal["e621", "e926", "danbooru", "gelbooru", "safebooru", "yandere", "konachan"]  # rows of boorus/sites.py
FileType = Literal["png", "jpg", "webp", "gif"]
CATEGORIES = ("general", "artist", "contributor", "copyright", "character", "species", "invalid", "meta", "lore", "rating")
_DATE = r"^(\d{4}(-\d{2}(-\d{2})?)?)?$"


class SiteSettings(StageSettings):
    """Which site is asked, and for what: shared by research and download."""

    site: SiteName = setting("e621", "the site that is asked")
    site_url: str = setting("", "another address for the site: a mirror, or a test server", advanced=True)
    query: str = setting("", "the search in the site's own grammar; empty builds it from the five settings below")
    character: str = setting("", "the character's tag on the site; empty means the trigger")
    solo: Literal["solo", "focus", "any"] = setting("solo", "alone in the picture; alone or in its focus; in any company")
    with_tags: list[str] = setting(list, "tags that the built search demands too")
    one_of: list[str] = setting(list, "tags of which the built search demands one")
    without: list[str] = setting(list, "tags that the built search excludes, such as monochrome")
    export: str = setting("", "a downloaded posts.csv.gz of the site, or its folder: searched instead of the site, at any depth", advanced=True)
    ratings: list[Rating] = setting(lambda: ["s", "q", "e"], "the ratings taken: g general, s safe (general too), q questionable, e explicit")
    file_types: list[FileType] = setting(lambda: ["png", "jpg", "webp"], "the file types taken")
    required_tags: list[str] = setting(list, "a post needs one of these groups: tags of a group by a comma, groups by |, -tag for none, a star for any letters", lines=True)
    blacklist: list[str] = setting(lambda: ["animated"], "posts with one of these groups are left out; written like the required tags", lines=True)
    min_area: int = setting(262144, "smallest picture taken, width x height", unit="pixels", ge=0)
    min_fav_count: int = setting(0, "fewest favourites", ge=0)
    min_date: str = setting("", "earliest day, as 2013, 2013-05 or 2013-05-31", pattern=_DATE)
    requests_per_second: float = setting(1.0, "most requests to one host, of all your processes together; never more than the site's rule", unit="1/s", gt=0, le=2, advanced=True)


class ResearchSettings(SiteSettings):
    """What is looked at before anything big is fetched."""

    posts: int = setting(3200, "most posts looked at, best score first", unit="posts", ge=1, le=240000)
    wanted: int = setting(150, "the fewest pictures wanted: a minimum score is suggested that leaves at least so many", unit="pictures", ge=1, le=5000)
    wanted_at_most: int = setting(300, "the most pictures wanted", unit="pictures", ge=1, le=10000)
    previews: int = setting(240, "small previews fetched for the wall, best score first; 0 fetches none", unit="posts", ge=0, le=2000)
    near_duplicate_bits: int = setting(4, "most differing bits of two 64-bit hashes of previews that count as one picture", unit="bits", ge=0, le=16, advanced=True)
    profile_tags: int = setting(40, "tags shown per category in info.md", ge=5, le=500, advanced=True)

    @model_validator(mode="after")
    def _wishes_fit(self) -> "ResearchSettings":
        if self.wanted > self.wanted_at_most:
            raise ValueError("wanted must not be more than wanted_at_most")
        return self


class DownloadSettings(SiteSettings):
    """Which posts are fetched, and how large they are kept."""

    min_score: int = setting(0, "lowest score taken", ge=-100000)
    sort_by: Literal["score_desc", "score_asc", "fav_count_desc", "fav_count_asc", "date_desc", "date_asc", "id_desc", "id_asc"] = setting("score_desc", "which posts are the first, when only so many are taken")
    top_n: int = setting(200, "the first so many; 0 takes all", unit="posts", ge=0, le=10000)
    collect_from_listed_posts_file: str = setting("", "a text file with one post id or md5 on a line: these are taken instead of a search's")
    apply_filter_to_listed_posts: bool = setting(False, "listed posts must pass the filters too")
    skip_posts_file: str = setting("", "a text file with one post id or md5 on a line: these are never taken")
    max_short_side: int = setting(
        0, "larger pictures are kept at this short side; 0 keeps the original", unit="pixels", ge=0
    )
    delete_original: bool = setting(False, "remove the full-size file of a picture that was made smaller")
    max_megabytes: int = setting(100, "larger files are left out", unit="MB", ge=1, le=100, advanced=True)
    fold_twins: bool = setting(True, "of posts whose previews research saw to be the same picture, fetch the best one only")
    connections: int = setting(2, "files fetched at the same time", ge=1, le=4, advanced=True)
    restore: bool = setting(False, "fetch pictures again whose files you have removed")


class PruneSettings(StageSettings):
    """What makes a picture unfit; each reason is a suggestion that a person can overrule."""

    to: int = setting(0, "pick the best set of so many, spread over outfits, views, framings and artists; 0 keeps all that are fit", unit="pictures", ge=0, le=10000)
    sure: float = setting(0.65, "a reason drops a picture when it is at least so sure; a less sure one is only told", ge=0, le=1)
    min_side: int = setting(256, "smallest short side", unit="pixels", ge=16)
    max_aspect: float = setting(3.0, "longest side over shortest side, beyond which no bucket fits", ge=1)
    near_duplicate_bits: int = setting(
        4, "most differing bits of two 64-bit picture hashes that still mean the same picture", unit="bits", ge=0, le=16
    )
    per_work: int = setting(2, "most versions of one work kept: posts with one parent, pool or source", unit="pictures", ge=1)
    blur: float = setting(0.27, "sharpness under which a picture counts as blurred, 0 to 1", ge=0, le=1)
    blocks: float = setting(0.2, "traces of compression from which a picture counts as blocky, 0 to 1", ge=0, le=1)
    grey: bool = setting(True, "keep pictures without colours")
    solo: bool = setting(True, "drop pictures with more than one character, by their tags")
    agreement: float = setting(0.0, "drop pictures on which the tagger sees less than this of the character's core looks (mean score); 0 does not look", ge=0, le=1)
    min_score: int = setting(-1000, "drop booru pictures with a lower score", advanced=True)
    worst_share: float = setting(
        0.0,
        "drop at least this share, the least sharp and lowest scored first",
        unit="share",
        ge=0,
        le=0.9,
        advanced=True,
    )


class PrepareSettings(StageSettings):
    """How the kept pictures become training pictures."""

    crop: bool = setting(True, "crop to the character where much is empty")
    margin: float = setting(0.08, "space left round the character", unit="share of its size", ge=0, le=1)
    min_gain: float = setting(0.15, "a crop is made only when it removes at least this share of the picture", unit="share", ge=0, le=0.9, advanced=True)
    head_crops: bool = setting(True, "add crops of the best heads as pictures of their own")
    head_share: float = setting(0.25, "headshots wanted, as a share of all training pictures; those that are there already count", unit="share", ge=0, le=1)
    mask_model: str = setting("built-in", "what finds the character: built-in, isnet-anime (176 MB, fetched on its first use), or your own .onnx file", advanced=True)
    head_model: str = setting("built-in", "what finds the head: built-in, anime-head, anime-face, anime-face-small (12 to 45 MB, fetched on first use), or your own .onnx file", advanced=True)
    max_side: int = setting(1536, "prepared pictures are not larger than this on the long side", unit="pixels", ge=64)


class TagSettings(StageSettings):
    """How captions are made."""

    tagger: str = setting(
        "wd-swinv2-tagger-v3", "a row of taggers/models.py, a folder with model.onnx and selected_tags.csv, or 'none'"
    )
    taggers: list[str] = setting(list, "several taggers whose tags are merged, written like the one above, which then does not count", lines=True)
    threshold: float = setting(0.0, "tagger scores from here on count; 0 leaves it to the lines below, and then to what each model's own card recommends", ge=0, le=1)
    thresholds: list[str] = setting(list, "for a tag or a category, of all taggers or of one: 'smile -> 0.6', 'species -> 0.3', 'e621 / species -> 0.2'; for a whole model, where threshold is 0: 'wd-* / * -> 0.4'", advanced=True, lines=True)
    veto: float = setting(
        0.05,
        "a booru tag the tagger knows and scores under this is doubted and left out; 0 never",
        ge=0,
        le=0.5,
        advanced=True,
    )
    use_booru_tags: bool = setting(True, "merge the site's own tags")
    use_character_tags: bool = setting(False, "keep other character names in the captions", advanced=True)
    characters: list[str] = setting(list, "where one LoRA learns several: a line for each, its trigger and which pictures show it, such as 'alice where character:alice'; without where, those with the trigger as a tag", lines=True)
    core_share: float = setting(
        0.75,
        "identity tags on at least this share of the pictures are absorbed by the trigger",
        unit="share",
        gt=0,
        le=1,
    )
    absorb: bool = setting(True, "let the trigger absorb the core tags; off leaves every tag in the captions")
    core_tags: list[str] = setting(list, "tags always absorbed by the trigger")
    keep_tags: list[str] = setting(list, "tags never absorbed")
    drop_tags: list[str] = setting(list, "tags never written")
    replace_tags: list[str] = setting(list, "tags written as others, one 'old -> new' each", advanced=True, lines=True)
    prepend_tags: list[str] = setting(list, "tags written first in every caption, after the trigger", advanced=True)
    append_tags: list[str] = setting(list, "tags written last in every caption", advanced=True)
    category_order: list[str] = setting(list, "categories in the order in which captions have them, such as species, general; those not listed are left out; empty keeps lorasmith's own order", advanced=True)
    prune_implied: bool = setting(True, "leave out tags that others of the picture imply, by the site's own tables where `lorasmith tags fetch` brought them", advanced=True)
    rating_tags: list[Rating] = setting(list, "the ratings whose word captions carry: safe, questionable, explicit", advanced=True)
    caption_set: str = setting("default", "name of the caption set written: letters, digits, '_' and '-'", advanced=True, pattern=r"^[A-Za-z0-9_-]{1,60}$")
    underscores: bool = setting(False, "write tags with underscores", advanced=True)
    remove_parentheses: bool = setting(False, "write tags without ( and ), keeping what stands between them", advanced=True)
    providers: list[str] = setting(list, "onnxruntime providers to try first; empty chooses", advanced=True)
    batch_size: int = setting(8, "pictures tagged at once", ge=1, le=128, advanced=True)

    @model_validator(mode="after")
    def _captions_can_be_written(self) -> "TagSettings":
        for name in ("prepend_tags", "append_tags", "replace_tags"):
            demand_safe_text("\n".join(getattr(self, name)).replace("->", "\n"), f"setting tag.{name}")
        for line in self.replace_tags:
            if "" in old_and_new(line):
                raise ValueError(f"replace_tags has '{line}'; write 'old -> new'")
        _ = self.threshold_rules
        demand_safe_text("\n".join(self.characters), "setting tag.characters")
        if len({trigger.casefold() for trigger in self.cast}) < len(self._character_lines):
            raise ValueError("characters has a trigger twice; write one line for each character, its filters joined by OR")
        if self.taggers and self.tagger not in (*self.taggers, type(self).model_fields["tagger"].default):
            raise ValueError(f"tagger is '{self.tagger}', which is not among taggers; add it there, or empty taggers")
        for name in self.category_order:
            if name not in CATEGORIES:
                raise ValueError(unknown_name(name, list(CATEGORIES), f"category_order has no category '{name}'").removesuffix("."))
        return self

    @property
    def tagger_names(self) -> list[str]:
        """Gives the taggers that count, in their order; none where there is to be none."""
        return [name for name in self.taggers or [self.tagger] if name != NO_TAGGER]

    @property
    def threshold_rules(self) -> list[tuple[str, str, float]]:
        """Gives `thresholds` as model pattern (or vocabulary), category or tag, and value; * stands for all."""
        return [threshold_rule(line) for line in self.thresholds]

    @property
    def _character_lines(self) -> list[str]:
        return [line for line in self.characters if line.strip() and not line.lstrip().startswith("#")]

    @property
    def cast(self) -> dict[str, str]:
        """Gives the characters of one LoRA as trigger -> filter of its pictures; none where there is one, whose trigger is the project's."""
        return dict(map(character_line, self._character_lines))

    @property
    def replacements(self) -> dict[str, str]:
        """Gives old tag -> the one written instead, both as they are stored."""
        return dict(map(old_and_new, self.replace_tags))


class EvaluateSettings(StageSettings):
    """What is rendered to judge a LoRA."""

    checkpoint: str = setting("", "the base model to render with; empty means the one trained on")
    weights: list[float] = setting(lambda: [0.7, 1.0], "LoRA weights compared", min_length=1)
    epochs: int = setting(3, "saved epochs compared, the last and others evenly before it", ge=1, le=100)
    prompts: list[str] = setting(list, "further prompts; {trigger} stands for the trigger", lines=True)
    asked: int = setting(4, "prompts of each kind at most: framings, views, poses, places, toggles; half as many expressions and clothes", ge=1, le=20)
    seeds: list[int] = setting(lambda: [11, 12], "render seeds that choose epoch and weight", min_length=1)
    report_seeds: list[int] = setting(lambda: [101, 102], "render seeds that choose nothing; the told scores come from these", min_length=1)
    negative: str = setting("", "negative prompt")
    steps: int = setting(20, "denoising steps", ge=1, le=200)
    guidance: float = setting(7.0, "classifier-free guidance scale", ge=1, le=30)
    width: int = setting(512, "render width", unit="pixels", ge=64, le=2048, multiple_of=8)
    height: int = setting(512, "render height", unit="pixels", ge=64, le=2048, multiple_of=8)
    threshold: float = setting(0.5, "a tag the tagger scores from here on counts as drawn", gt=0, lt=1, advanced=True)
    batch_size: int = setting(4, "pictures rendered at once", ge=1, le=64, advanced=True)
    device: str = setting("auto", "cuda, cuda:1, mps, cpu, or auto", advanced=True)


    @model_validator(mode="after")
    def _seeds_differ(self) -> "EvaluateSettings":
        if set(self.seeds) & set(self.report_seeds):
            raise ValueError("seeds and report_seeds must not share a seed: the told scores come from seeds that chose nothing")
        for name, values in (("seeds", self.seeds), ("report_seeds", self.report_seeds), ("weights", self.weights)):
            if len(set(values)) != len(values):
                raise ValueError(f"{name} has a value twice")
        return self


class RefineSettings(StageSettings):
    """Which renders come back as candidate pictures."""

    min_likeness: float = setting(0.7, "lowest likeness of a render that comes back", ge=0, le=1)
    min_followed: float = setting(0.5, "lowest share of the asked tags that were drawn", unit="share", ge=0, le=1)
    top_n: int = setting(8, "most renders taken back", unit="pictures", ge=0, le=1000)
    renders: list[str] = setting(list, "names of renders to take whatever their scores")
    candidates: int = setting(0, "candidates rendered anew, over the framings, views and poses that the set lacks; 0 chooses among the evaluation's renders", unit="pictures", ge=0, le=1000)
    ground: Literal["grey", "pink", "white", "any"] = setting("grey", "the plain ground that candidates are asked on, so that they can be cut out")
    lora: str = setting("", "LoRA that draws them, a file in loras/ or elsewhere; empty is the one that was recommended", advanced=True)
    weight: float = setting(0.0, "its weight; 0 is the recommended one", ge=0, le=2, advanced=True)
    other_loras: list[str] = setting(list, "further LoRAs, such as style.safetensors=0.5", lines=True, advanced=True)
    checkpoint: str = setting("", "another base model to draw with", advanced=True)
    seed: int = setting(5001, "seed of the first candidate", ge=0, le=2**31 - 2000, advanced=True)
    max_generation: int = setting(1, "most models between a picture and a hand: 1 allows no copies of copies", ge=0, le=10, advanced=True)
    max_generated: float = setting(0.5, "most pictures drawn by a model in a training set", unit="share", ge=0, le=1, advanced=True)


TABLES: dict[str, type[StageSettings]] = {
    "research": ResearchSettings,
    "download": DownloadSettings,
    "prune": PruneSettings,
    "prepare": PrepareSettings,
    "tag": TagSettings,
    "train": TrainSettings,
    "evaluate": EvaluateSettings,
    "refine": RefineSettings,
}
