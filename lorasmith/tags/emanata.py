"""The boards' words for emanata: the small signs that artists put beside a character."""

from collections.abc import Collection

from lorasmith.tags.vocabulary import names

# Kind of sign -> the tags that tell of it.
EMANATA: dict[str, frozenset[str]] = {
    "heart": names("heart <3 heart_symbol hearts floating_hearts spoken_heart heart_emanata"),
    "sweatdrop": names("sweatdrop sweat_drop sweatdrops flying_sweatdrops spoken_sweatdrop sweat_emanata"),
    "anger vein": names("anger_vein anger_veins cross-popping_veins cross-popping_vein spoken_anger_vein"),
    "note": names(
        "musical_note musical_notes music_note eighth_note quarter_note beamed_eighth_notes beamed_sixteenth_notes "
        "spoken_musical_note"
    ),
    "sparkle": names("sparkle sparkles sparkling sparkle_background star_emanata"),
    "exclamation mark": names("! !! !!! !? exclamation_point exclamation_mark exclamation_points spoken_exclamation_mark"),
    "question mark": names("? ?? ??? !? question_mark question_marks spoken_question_mark spoken_interrobang"),
    "motion lines": names("motion_lines motion_line movement_lines action_lines surprise_lines emphasis_lines"),
}
ANY_EMANATA = names("emanata")  # says that there are some, and not which


def signs_told(tags: Collection[str]) -> frozenset[str]:
    """Gives the kinds of signs that tags (with underscores, in small letters) tell of."""
    return frozenset(kind for kind, its in EMANATA.items() if its.intersection(tags) or ANY_EMANATA.intersection(tags))
