"""The hand-written table of main Danbooru and e621 tags by group: names are facts; order is the most telling first.

Within a group the first names are the ones an evaluation asks for first. Both boards' spellings stand side by side;
a new tag is added to one line here, a new family of tags to the endings and words in `groups.py`.
"""

_WORDS: dict[str, str] = {
    "count": """
        solo duo trio group solo_focus 1girl 1boy 1other 2girls 2boys 3girls 3boys 4girls 4boys 5girls 5boys 6+girls
        6+boys multiple_girls multiple_boys multiple_others female male ambiguous_gender intersex no_humans
        zero_pictured male/female male/male female/female crowd large_group""",
    "framing": """
        full-length_portrait headshot_portrait half-length_portrait three-quarter_portrait bust_portrait
        full_body upper_body cowboy_shot portrait close-up headshot lower_body wide_shot very_wide_shot
        head_out_of_frame out_of_frame cropped_legs cropped_torso cropped_shoulders cropped_arms feet_out_of_frame
        multiple_views multiple_angles reference_sheet model_sheet turnaround character_sheet eye_focus face
        profile solo_portrait extreme_close-up
        faceless_character multiple_images extreme_closeup head_focus""",
    "view": """
        front_view side_view rear_view three-quarter_view from_side from_behind straight-on from_above from_below
        high-angle_view low-angle_view bird's-eye_view worm's-eye_view dutch_angle pov first_person_view
        foreshortening fisheye fisheye_lens perspective upside-down upside_down rotated sideways
        sideview aerial_view""",
    "gaze": """
        looking_at_viewer looking_back looking_away looking_aside looking_to_the_side looking_up looking_down
        looking_ahead looking_forward looking_at_another looking_at_partner looking_back_at_viewer facing_viewer
        facing_away eye_contact head_tilt sideways_glance looking_afar looking_at_object averting_eyes""",
    "eyes": """
        closed_eyes eyes_closed one_eye_closed half-closed_eyes wink narrowed_eyes wide-eyed wide_eyed squinting squint
        rolling_eyes eye_roll heart-shaped_pupils heart_eyes star-shaped_pupils star_eyes constricted_pupils
        glowing_eyes empty_eyes blank_eyes cross-eyed hair_over_one_eye hair_over_eye one_eye_covered
        one_eye_obstructed covered_eyes tears crying bedroom_eyes sparkling_eyes open_eyes teary_eyes spiral_eyes
        closed_eye one_eye_open dilated_pupils eyes_visible_through_hair""",
    "mouth": """
        open_mouth mouth_closed closed_mouth parted_lips smile grin smirk open_smile :d smiling_at_viewer frown
        evil_smile evil_grin nervous_smile light_smile slight_smile pout pouting tongue_out tongue clenched_teeth
        teeth teeth_showing sharp_teeth fang fangs fang_out yawning yawn biting_own_lip biting_lip puffy_cheeks
        puffed_cheeks mouth_hold :3 :o :p :< :> >:) >:( ;d ;) xd drooling drool saliva chewing wavy_mouth
        triangle_mouth naughty_face toothy_grin crooked_smile snarling teeth_bared jaw_drop half-open_mouth
        ;p blep tongue_between_teeth screaming shouting""",
    "expression": """
        happy angry sad surprised surprise annoyed expressionless laughing laugh embarrassed shy confused confusion
        scared nervous worried serious smug bored sleepy tired disgust raised_eyebrow furrowed_brow sweatdrop
        anger_vein cross-popping_vein blush blush_stickers light_blush full-face_blush excited determined pensive
        relaxed unamused depressed frustrated jealous panicking flustered disappointed sweat sweating_nervously
        ^_^ >_< =_= o_o x_x @_@ u_u t_t""",
    "pose": """
        standing sitting lying kneeling squatting crouching all_fours walking running jumping flying floating swimming
        on_back on_stomach on_front on_side on_one_knee crossed_legs leg_up raised_leg standing_on_one_leg on_one_leg
        climbing dancing stretching sleeping leaning_forward leaning_back leaning_backward leaning fighting_stance
        fighting_pose dynamic_pose action_pose pose on_chair reclining bent_over arched_back seiza wariza
        indian_style lotus_position quadruped_pose pouncing hovering falling legs_crossed spread_legs legs_apart
        legs_together knees_up knees_together straddling hanging perched prone supine contrapposto fetal_position
        sitting_on_ground sitting_on_chair midair mid-air balancing crawling lying_down bipedal quadrupedal
        tail_wag tail_wagging sitting_on_bed lying_on_bed wading slouching crouched""",
    "arms": """
        raised_arms arms_up raised_arm arm_up crossed_arms arms_behind_back hands_behind_back arms_behind_head
        hands_behind_head hand_on_own_hip hand_on_hip hands_on_own_hips hands_on_hips outstretched_arms
        outstretched_arm spread_arms arms_at_sides arm_at_side reaching reaching_out flexing hug hugging
        arm_support arms_under_head akimbo""",
    "hands": """
        hand_up raised_hand hands_up hand_in_pocket hands_in_pockets clenched_hand clenched_hands fist v v_sign
        peace_sign thumbs_up pointing pointing_at_viewer waving salute gesture hand_gesture ok_sign finger_gun
        beckoning finger_to_mouth hand_on_own_face hand_on_face hand_on_own_chest hand_on_chest own_hands_together
        hand_on_head claw_pose paw_pose finger_raised index_finger_raised facepalm shushing clapping hand_holding
        holding_hands interlocked_fingers prayer_pose""",
    "action": """
        holding holding_object holding_weapon eating drinking reading playing fighting singing cooking writing
        drawing_(action) carrying throwing catching riding driving fishing shopping working training bathing
        showering dressing undressing brushing cleaning casting_spell magic_use holding_food holding_phone
        holding_cup holding_book holding_sword holding_gun holding_staff bite biting roaring howling barking""",
    "clothing": """
        clothing clothed clothes shirt t-shirt white_shirt topwear bottomwear pants jeans shorts skirt miniskirt
        pleated_skirt dress jacket coat hoodie sweater vest suit uniform school_uniform military_uniform serafuku
        kimono yukata robe cape cloak apron swimsuit bikini one-piece_swimsuit leotard bodysuit armor overalls
        pajamas tank_top crop_top tuxedo tunic toga gown blouse cardigan trenchcoat labcoat lab_coat raincoat
        sportswear maid maid_outfit kilt sarong loincloth footwear shoes boots sandals sneakers high_heels slippers
        socks thighhighs pantyhose stockings kneehighs legwear leggings barefoot underwear panties bra boxers briefs
        boxer_briefs lingerie nude topless bottomless fully_clothed partially_clothed midriff mostly_nude topless_male
        costume cosplay outfit bare_shoulders long_sleeves short_sleeves sleeveless wide_sleeves wetsuit jumpsuit
        spacesuit hakama hanfu qipao china_dress poncho camisole bloomers frills lace belly_shirt unbuttoned
        open_jacket open_shirt open_clothes zipper hood hood_up hood_down buttons collared_shirt harness_clothing
        corset bandeau sarashi thigh_boots knee_boots ankle_boots cutout off_shoulder
        polo_shirt turtleneck turtleneck_sweater denim plaid striped_shirt print_shirt flip-flops footwraps""",
    "accessories": """
        scarf hat top_hat eyeglasses glasses eyewear bow bowtie bow_tie hair_bow ribbon hair_ribbon hairband headband
        bandana cap baseball_cap beanie beret helmet crown tiara halo headwear headgear goggles sunglasses mask
        eyepatch earrings necklace bracelet ring jewelry piercing ear_piercing choker collar spiked_collar bell
        neck_bell necktie tie gloves fingerless_gloves belt backpack bag handbag watch wristwatch headphones headset
        hair_ornament hair_flower hairclip neckerchief kerchief shawl pendant brooch badge armband wristband anklet
        armlet bandage bandages harness leash tag dog_tags veil witch_hat wizard_hat cowboy_hat straw_hat santa_hat
        flower_crown hair_tie scrunchie suspenders pouch satchel umbrella earpiece monocle lanyard handwear
        neckwear legband garter leg_band bracers pauldrons wraps
        tail_accessory eye_patch makeup lipstick eyeshadow eyeliner nail_polish fake_animal_ears bandaid
        tail_ribbon tail_bow tail_ring nose_ring collar_tag leg_warmers arm_warmers kneepads""",
    "objects": """
        weapon sword gun knife katana rifle bow_(weapon) arrow staff spear axe shield wand book phone cellphone
        smartphone cup mug bottle food fruit flower bouquet balloon ball pillow plushie guitar musical_instrument
        instrument microphone camera pencil pen paper lantern candle chair couch sofa bed table desk bench stool
        throne computer laptop controller vehicle car motorcycle bicycle cake ice_cream pizza apple drink coffee tea
        plant leaf petals feathers feather_(object) bubble box gift basket stick rope chain key coin egg""",
    "background": """
        simple_background white_background forest beach night inside indoors outside outdoors city grey_background
        black_background transparent_background gradient_background detailed_background abstract_background
        pattern_background patterned_background two-tone_background blurry_background blurred_background
        colored_background photo_background depth_of_field scenery landscape nature day sky blue_sky cloud cloudy_sky
        clouds sunset sunrise dusk dawn evening night_sky starry_sky star_(sky) star moon full_moon sun twilight
        mountain mountains hill field meadow tree trees palm_tree plants bush desert cave jungle swamp lake river
        ocean sea water underwater waterfall pond snow snowing winter raining rain grass sand rock road street alley
        cityscape building skyscraper house castle ruins room bedroom kitchen bathroom classroom office bar
        restaurant cafe library gym stage window door wall floor curtains fence bridge space planet pool
        swimming_pool park garden town village rooftop stairs balcony border white_border black_border letterbox
        autumn spring_(season) summer storm lightning fog mist fireplace train_station school church market
        amusement_park seaside countryside horizon snowy_background negative_space""",
    "light": """
        backlighting sunlight shadow light_rays light_beam lens_flare rim_lighting dim_lighting moonlight
        glowing glow light spotlight dramatic_lighting firelight neon_lights dappled_sunlight sunbeam dark
        light_particles bokeh bloom""",
    "style": """
        monochrome greyscale sketch lineart line_art flat_color flat_colors limited_palette restricted_palette
        spot_color partially_colored unfinished chibi pixel_art pixel_(artwork) 3d 3d_(artwork) traditional_media
        traditional_media_(artwork) watercolor_(medium) watercolor_(artwork) painting_(medium) painting_(artwork)
        graphite_(medium) graphite_(artwork) marker_(medium) marker_(artwork) photo_(medium) photography_(artwork)
        realistic comic 4koma halftone silhouette cel_shading shaded colored digital_media_(artwork)
        digital_drawing_(artwork) digital_painting_(artwork) concept_art colored_sketch rough_sketch outline
        thick_outlines bold_outlines sepia blue_theme high_contrast soft_shading flat_shading no_lines lineless
        toony anime_style retro_artstyle manga doodle icon sticker animated jaggy_lines scan official_art
        screencap film_grain chromatic_aberration crosshatching faux_traditional_media vector_trace""",
    "text_and_icons": """
        signature watermark artist_name dated english_text text japanese_text web_address url character_name
        speech_bubble dialogue sound_effects onomatopoeia logo heart heart_symbol ! ? !? !! ?! exclamation_point
        question_mark musical_note motion_lines twitter_username patreon_username username artist_logo
        patreon_logo twitter_logo thought_bubble spoken_heart star_symbol sparkle sparkles name_tag copyright_name
        copyright_notice symbol numbered emanata hashtag cross-popping_veins ... spoken_ellipsis sample_watermark
        third-party_edit translated translation_request patreon pixiv_id pixiv_username chinese_text korean_text
        russian_text commentary_text runes barcode qr_code censored mosaic_censoring bar_censor""",
    "quality": """
        masterpiece best_quality high_quality normal_quality low_quality worst_quality amazing_quality absurdres
        highres hi_res lowres low_res score_9 score_8_up score_7_up superb_quality jpeg_artifacts blurry
        bad_anatomy bad_hands ai_generated ai-generated commission commentary commentary_request bad_id
        absurd_res superabsurd_res 1:1 16:9 4:3 3:4 9:16 uncensored edit alternate_version_at_source patreon_reward
        conditional_dnp ych digital_media url_at_source smaller_version_at_source square_crop""",
    "species": """
        mammal canid canine canis wolf fox dog domestic_dog coyote jackal hyena felid feline felis domestic_cat cat
        lion tiger leopard snow_leopard cheetah panther lynx cougar jaguar ursid bear panda giant_panda red_panda
        lagomorph leporid rabbit hare rodent mouse rat squirrel hamster chipmunk mustelid otter ferret badger weasel
        skunk raccoon procyonid equid equine horse pony zebra donkey unicorn pegasus bovid bovine cattle cow bull
        goat sheep caprine deer cervid cervine reindeer moose elk pig suina boar elephant giraffe hippopotamus
        rhinoceros marsupial kangaroo koala opossum bat primate monkey ape gorilla human elf demon angel
        dragon western_dragon eastern_dragon wyvern reptile scalie lizard snake turtle tortoise crocodile alligator
        crocodilian gecko dinosaur theropod avian bird owl eagle hawk crow raven parrot penguin duck chicken swan
        gryphon griffin phoenix fish shark marine cetacean dolphin orca whale amphibian frog toad salamander axolotl
        insect arthropod bee moth butterfly spider arachnid hybrid pokemon_(species) digimon_(species) kitsune
        werewolf werecreature were kobold goblin orc minotaur centaur taur naga lamia mermaid merfolk vampire
        slime_creature robot machine android alien monster undead skeleton ghost protogen sergal avali
        canine_humanoid cat_humanoid fairy dwarf ogre troll golem plant_creature animal_humanoid furred_dragon
        feathered_dragon haplorhine domestic_ferret musteline lutrine pantherine sciurid vulpine true_fox red_fox
        arctic_fox fennec_fox grey_wolf german_shepherd husky border_collie corgi shiba_inu maned_wolf viverrid
        herpestid mongoose meerkat bovid_humanoid
        pokemon digimon eeveelution tanuki raccoon_dog hyaenid spotted_hyena striped_hyena aardwolf caracal
        serval ocelot puma bobcat dhole wolverine stoat anteater armadillo sloth hedgehog porcupine beaver
        capybara guinea_pig chinchilla lemur ibex antelope gazelle llama alpaca camel okapi bison walrus seal
        sea_lion manatee octopus squid crab lobster snail worm ant mantis moth_humanoid harpy cockatrice hydra
        cerberus chimera sphinx satyr faun imp succubus gargoyle dullahan zombie golem_creature robot_animal
        synth jackalope wolpertinger fakemon""",
    "body": """
        anthro feral humanoid furry furry_female furry_male animal_focus body_type semi-anthro taur_body
        animal_ears animal_ear_fluff pointy_ears round_ears floppy_ears long_ears big_ears notched_ear fluffy_ears
        cat_ears dog_ears fox_ears rabbit_ears wolf_ears horse_ears tail fluffy_tail long_tail short_tail
        bushy_tail multiple_tails cat_tail fox_tail dog_tail wolf_tail rabbit_tail dragon_tail tail_tuft wings
        feathered_wings membrane_(anatomy) membranous_wings horns horn curled_horns single_horn antlers hooves snout
        muzzle beak claws pawpads paws toe_claws fur body_fur feathers scales skin fluffy chest_tuft neck_tuft
        cheek_tuft facial_tuft inner_ear_fluff tuft slim muscular muscular_male overweight chubby tall short_stature
        digitigrade plantigrade unguligrade biped quadruped 4_toes 5_toes 3_toes 4_fingers 5_fingers
        humanoid_hands whiskers mane fin fins gills dorsal_fin tentacles extra_arms multi_limb multi_eye one_eye
        cyclops third_eye freckles mole mole_under_eye beauty_mark elbow_tufts spikes spines ridge abs pecs
        breasts small_breasts medium_breasts large_breasts flat_chest facial_hair beard mustache goatee stubble
        eyelashes eyebrows thick_eyebrows slit_pupils no_pupils pupils black_nose pink_nose nose buckteeth tusks
        halo_(anatomy) prosthesis cybernetics amputee missing_eye mechanical_arm blind older mature_female
        mature_male adult elderly old hair_bun_ears navel
        feet foot toes soles hindpaw hindpaws forepaws snaggle_tooth buckteeth gap_teeth collarbone
        lips back_spikes frill prosthetic_leg prosthetic_arm beauty_mark mole facial_hair beard goatee
        mustache stubble whiskers freckles""",
    "eye_colour": """
        heterochromia multicolored_eyes two_tone_eyes black_sclera yellow_sclera red_sclera colored_sclera aqua_eyes
        gradient_eyes""",
    "colour": """
        multicolored_body multicolored_fur two_tone_body two_tone_fur colored_skin dark_skin dark-skinned_female
        dark-skinned_male pale_skin tan tanned light_skin very_dark_skin albino colorful melanistic
        monotone_body monotone_fur gradient_fur gradient_body two_tone_skin two_tone_scales
        multicolored_scales multicolored_feathers multicolored_skin tan_belly""",
    "markings": """
        markings striped_fur spotted_fur striped_body spotted_body stripes spots countershading
        countershade_fur facial_mark facial_markings facial_tattoo forehead_mark scar scar_across_eye
        scar_on_face tattoo body_markings gloves_(marking) socks_(marking) leg_markings arm_markings tail_markings
        head_markings eye_markings back_markings dipstick_tail dipstick_ears ring_tail ringed_tail blaze_(marking)
        white_belly mask_(marking) piebald dapple rosettes tabby calico glowing_markings whisker_markings birthmark
        body_writing rainbow_body
        countershade_face countershade_torso countershade_tail countershade_body countershade_skin
        countershade_scales countershade_feathers countershade_legs countershade_arms mottled scarred stitches
        striped_tail spotted_tail striped_ears striped_scales spotted_scales facial_scar eye_scar body_scar
        torso_scar back_stripes leg_stripes arm_stripes tail_stripes face_stripes head_stripe dorsal_stripe
        mask_marking eyebrow_markings chest_markings hand_markings neck_markings ear_markings feet_markings
        gloves_markings dipstick_limbs two_tone_tail multicolored_tail scar_on_cheek scar_on_nose
        scar_on_chest scar_on_arm burn_scar star_marking crescent_marking marbled_fur brindle merle""",
    "hair": """
        hair long_hair short_hair medium_hair very_long_hair bangs blunt_bangs twintails ponytail side_ponytail
        high_ponytail braid twin_braids single_braid ahoge hair_between_eyes sidelocks hair_bun double_bun
        drill_hair curly_hair wavy_hair straight_hair spiked_hair spiky_hair messy_hair mohawk dreadlocks afro
        bald hime_cut bob_cut two-tone_hair multicolored_hair gradient_hair streaked_hair colored_inner_hair
        two_side_up half_updo fluffy_hair swept_bangs parted_bangs undercut pixie_cut pigtails""",
}

TABLE: dict[str, str] = {}
for _group, _tags in _WORDS.items():
    for _tag in _tags.split():
        TABLE.setdefault(_tag, _group)

MEMBERS: dict[str, tuple[str, ...]] = {group: tuple(dict.fromkeys(tags.split())) for group, tags in _WORDS.items()}

# Names that exclude each other, the ones that win a tie first. Twin spellings of the two boards stand together.
_EXCLUDING: dict[str, str] = {
    "framing": """
        close-up headshot headshot_portrait bust_portrait upper_body half-length_portrait cowboy_shot
        three-quarter_portrait full_body full-length_portrait lower_body wide_shot portrait""",
    "view": "from_behind rear_view from_side side_view three-quarter_view straight-on front_view",
    "angle": "from_above high-angle_view from_below low-angle_view",
    "eyes": "closed_eyes eyes_closed one_eye_closed half-closed_eyes open_eyes",
    "mouth": "open_mouth mouth_closed closed_mouth parted_lips",
    "pose": "lying sitting kneeling squatting crouching all_fours standing",
    "place": "simple_background detailed_background",
    "inside": "inside indoors outside outdoors",
    "light": "night day",
    "count": "solo duo trio group",
}
ONE_OF: dict[str, tuple[str, ...]] = {group: tuple(tags.split()) for group, tags in _EXCLUDING.items()}
# Umbrella tags that a more exact member of the same one-of group implies rather than excludes.
UMBRELLAS = frozenset(["portrait"])


def names(text: str) -> frozenset[str]:
    """Gives the names in a text of words, for tables that are easier to read as prose."""
    return frozenset(text.split())
